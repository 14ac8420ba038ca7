"""One of several processes that give leads to the same reps; see test_store_races.

    python -m tests.contract.month_racer URL LIMIT

Days are read from standard input, one a line; each day every rep is offered one lead
more by this process. Leads given are printed, one line a day.
"""

import json
import random
import sys
from collections import Counter
from datetime import date

from rightrep.domain.ids import LeadId
from rightrep.errors import AlreadyOwned, CapacityReached
from rightrep.store.bulk import open_leads
from rightrep.store.capacity import Limits, take_lead
from rightrep.store.engine import Store
from rightrep.store.reps import list_reps
from tests.store_records import ACME, at, decision


def main(url: str, limit: int) -> None:
    """Do one day after another."""
    store = Store(url)
    with store.read(ACME) as session:
        leads = open_leads(session, as_of=at(0))
        reps = [rep.rep_id for rep in list_reps(session, as_of=at(0))]
    for line in sys.stdin:
        given: Counter[str] = Counter()
        for rep_id in reps:
            given[rep_id] += gave(
                store, leads, rep_id, date.fromisoformat(line.strip()), limit
            )
        print(json.dumps(given), flush=True)
    store.close()


def gave(store: Store, leads: list[LeadId], rep_id: str, day: date, limit: int) -> bool:
    """Whether the rep took one more lead; some other when somebody was faster."""
    limits = Limits(intake_per_month=limit)
    while True:
        made = decision(random.choice(leads), rep_id)  # type: ignore[arg-type]
        try:
            with store.write(ACME) as session:
                take_lead(session, made, limits=limits, local_day=day)
        except AlreadyOwned:
            continue
        except CapacityReached:
            return False
        return True


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

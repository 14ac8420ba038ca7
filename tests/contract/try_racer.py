"""One process that tries to sign in as fast as it can: says how often it might."""

import sys
from datetime import UTC, datetime

from rightrep.domain.ids import TenantId
from rightrep.store.engine import Store
from rightrep.store.tries import TryOf, count_try

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def main(url: str, tries: int) -> None:
    """Try so often; print how many were to be looked at."""
    store = Store(url)
    store.ping()
    print("ready", flush=True)
    sys.stdin.readline()
    admitted = 0
    for _ in range(tries):
        with store.write(TenantId("acme")) as session:
            admitted += count_try(session, TryOf.NAME, "wang", at=NOW) is None
    print(admitted)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

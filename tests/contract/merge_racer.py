"""One of two processes that merge the same leads; see test_store_merges.

python -m tests.contract.merge_racer URL MERGED SURVIVOR
"""

import sys

from rightrep.errors import InvalidInput
from rightrep.store.aliases import RecordKind
from rightrep.store.engine import Store
from rightrep.store.merges import merge
from tests.store_records import ACME, at


def main(url: str, merged: str, survivor: str) -> None:
    store = Store(url)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        with store.write(ACME) as session:
            merge(
                session,
                RecordKind.LEAD,
                merged,
                survivor,
                at=at(1),
                actor="x",
                cause="y",
            )
    except InvalidInput:
        print("lost")
    else:
        print("won")
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

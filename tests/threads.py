"""Several things at the same time."""

import threading
from collections.abc import Callable


def at_once(*tasks: Callable[[], object]) -> None:
    """Run each task in a thread of its own; the first error of any is raised here."""
    failed: list[BaseException] = []

    def run(task: Callable[[], object]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]

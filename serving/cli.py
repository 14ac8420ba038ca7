"""The ``rightrep`` command: every job of the product from a terminal.

A mistake is answered by one sentence on standard error and exit code 1.
"""

import gc
import sys

import typer

from rightrep.errors import RightRepError
from serving.commands import (
    alarms,
    backtest,
    compare,
    data,
    demo,
    duplicates,
    experiments,
    followup,
    handover,
    health,
    keys,
    learn,
    people,
    pools,
    routing,
    rules,
    run,
    share,
    visits,
)
from serving.observe import log_as_json

app = typer.Typer(
    name="rightrep",
    help="Gives every sales lead to its right rep.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for module in (
    demo,
    data,
    duplicates,
    learn,
    backtest,
    share,
    compare,
    routing,
    health,
    visits,
    run,
):
    module.register(app)
app.add_typer(alarms.app, name="alarms")
app.add_typer(experiments.app, name="experiment")
app.add_typer(handover.app, name="handover")
app.add_typer(followup.app, name="follow-up")
app.add_typer(keys.app, name="keys")
app.add_typer(people.app, name="people")
app.add_typer(pools.app, name="pools")
app.add_typer(rules.app, name="rules")


def main() -> None:
    """Run the command; turn every error raised on purpose into a sentence."""
    log_as_json(level="WARNING")
    # What is imported by now stays for good: walking through it again and again took a
    # quarter of a batch's time.
    gc.freeze()
    try:
        app()
    except RightRepError as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()

"""Data in and out: import an export, make a demo market, erase a person."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from rightrep.clock import Clock
from rightrep.domain.ids import TenantId
from rightrep.errors import InvalidInput
from rightrep.intake.fields import Kind
from rightrep.store.aliases import resolve_lead
from rightrep.store.erasure import erase_lead, scrub
from serving.commands.common import ACTOR, console, instant, opened
from serving.usecases.context import Context
from serving.usecases.imports import ImportReport, import_file, rejects_path
from serving.usecases.linking import ask_to_link

MappingFile = Annotated[
    Path | None, typer.Option(help="TOML file that says what the columns are.")
]
RejectsFile = Annotated[
    Path | None, typer.Option(help="Where refused rows go; here by default.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="import")(import_)
    app.command()(enrich)
    app.command()(simulate)
    app.command()(erase)


def import_(
    kind: Annotated[Kind, typer.Argument(help="What the rows are.")],
    path: Annotated[Path, typer.Argument(help="CSV, JSON, JSON lines or .xlsx.")],
    mapping: MappingFile = None,
    rejects: RejectsFile = None,
) -> None:
    """Land leads, reps, decisions, outcomes, activities, companies or costs."""
    require_file(path, "path")
    if mapping is not None:
        require_file(mapping, "--mapping")
    context, tenant_id = opened()
    report = import_with_bar(
        context,
        tenant_id,
        kind,
        path,
        mapping,
        rejects=rejects or Path(rejects_path(path, kind).name),
    )
    typer.echo(in_words(report))
    if kind is Kind.LEADS and report.landed:
        with context.store.write(tenant_id) as session:
            ask_to_link(session, at=context.clock.now())
        typer.echo("A worker will compare the customers; `rightrep link` does it now.")


def enrich(
    path: Annotated[Path, typer.Argument(help="A register: CSV, JSON or .xlsx.")],
    mapping: MappingFile = None,
    rejects: RejectsFile = None,
) -> None:
    """Fill what is not known of customers and leads from a register of companies."""
    import_(Kind.COMPANIES, path, mapping, rejects)


def simulate(
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    leads: Annotated[int, typer.Option(help="Leads.")] = 12_000,
    reps: Annotated[int, typer.Option(help="Reps.")] = 40,
    days: Annotated[int, typer.Option(help="Days of history.")] = 540,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same market.")] = 7,
    end: Annotated[str | None, typer.Option(help="Last day of the history.")] = None,
    null_world: Annotated[
        bool, typer.Option("--null-world", help="Outcomes do not depend on the rep.")
    ] = False,
) -> None:
    """Write a demo market with a known truth, as the files a CRM would export."""
    from experiments.simulate import DEFAULT_END, ZONE, MarketSettings, write_demo

    if out.is_file():
        raise InvalidInput(f"{out} is a file.", field="--out", remedy="Give a folder.")
    settings = MarketSettings(
        n_leads=leads,
        n_reps=reps,
        days=days,
        seed=seed,
        end=DEFAULT_END if end is None else instant(end, ZONE),
        rep_effect=0.0 if null_world else 1.0,
    )
    with console.status("simulating"):
        made = write_demo(out, settings)
    for name, path in made.files.items():
        typer.echo(f"{made.rows[name]:>10,} {name:<11} {path}")
    typer.echo(
        f"{made.n_leads:,} leads, {made.n_reps} reps, {made.n_unassigned:,} "
        f"unassigned; {made.win_share:.1%} of the outcomes won"
    )


def erase(
    subject: Annotated[str, typer.Argument(help="A lead's id, ours or the CRM's.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove everything personal about the person or company behind a lead."""
    context, tenant_id = opened()
    if not yes:
        typer.confirm("This cannot be undone. Erase?", abort=True)
    with context.store.write(tenant_id) as session:
        lead_id = resolve_lead(session, subject)
        done = erase_lead(session, lead_id, actor=ACTOR, at=context.clock.now())
    scrub(context.store)
    removed = ", ".join(f"{n} {name}" for name, n in done.counts.items() if n)
    typer.echo(f"Erased: {removed or 'nothing personal was left'}.")


def require_file(path: Path, field: str) -> None:
    """Refuse a path that is no readable file.

    Raises:
        InvalidInput: It is not.
    """
    if not path.is_file():
        raise InvalidInput(f"There is no file {str(path)!r}.", field=field)


def import_with_bar(
    context: Context,
    tenant_id: TenantId,
    kind: Kind,
    path: Path,
    mapping: Path | None = None,
    *,
    rejects: Path | None = None,
    clock: Clock | None = None,
) -> ImportReport:
    """Import a file with a progress bar on the terminal."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(f"{kind.value} from {path.name}", total=None, rows=0)

        def told(rows: int, consumed: int, total: int) -> None:
            bar.update(task, completed=consumed, total=total, rows=rows)

        return import_file(
            context.store,
            tenant_id,
            kind,
            path,
            mapping,
            clock=clock or context.clock,
            progress=told,
            rejects=rejects,
        )


def in_words(report: ImportReport) -> str:
    """What became of a file, in a line or two."""
    speed = report.read / report.seconds if report.seconds else 0.0
    parts = [f"{report.landed:,} landed", f"{report.unchanged:,} unchanged"]
    if report.skipped:
        parts.append(f"{report.skipped:,} left out by the mapping")
    if report.unmatched:
        parts.append(f"{report.unmatched:,} of companies not known here")
    if report.refused:
        parts.append(f"{report.refused:,} refused (see {report.rejects})")
    if report.marked:
        parts.append(
            f"{report.marked:,} with an impossible phone, e-mail or tax number"
        )
    return (
        f"{report.kind.value}: {report.read:,} rows read, {', '.join(parts)}; "
        f"{report.seconds:.1f} s, {speed:,.0f} rows/s"
    )

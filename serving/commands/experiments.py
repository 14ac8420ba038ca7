"""Experiments: design, start, look every morning, stop."""

from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.design import Metric
from rightrep.domain.experiment import (
    CONTROL,
    LOT,
    TREATMENT,
    Arm,
    Experiment,
    UnitKind,
)
from rightrep.domain.money import minor_digits
from rightrep.store import experiments as store
from serving.commands.common import ACTOR, console, json_object, opened
from serving.usecases import experiments
from serving.usecases.experiment_power import Power, power_of, tuned
from serving.usecases.experiment_report import Reported, read_report
from serving.usecases.experiments import Wanted

app = typer.Typer(help="Is it better than round robin?", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The experiment's name.")]
Policy = Annotated[str, typer.Option(help="Policy of the treatment.")]
Unit = Annotated[UnitKind, typer.Option(help="What is drawn.")]
Share = Annotated[float, typer.Option(help="Part of the units treated, in (0, 1).")]
DesignFile = Annotated[
    Path | None,
    typer.Option("--file", help="JSON of the design: horizon_days, strata, margins."),
]
Holdout = Annotated[bool, typer.Option(help="A holdout, beside any other.")]


@app.command()
def design(
    name: Name,
    policy: Policy = "optimal",
    unit: Unit = UnitKind.LEAD,
    share: Share = 0.5,
    file: DesignFile = None,
    standing: Holdout = False,
) -> None:
    """Keep a design and print what it can find; nothing is drawn before the start."""
    context, tenant_id = opened()
    given = _given(file)
    wanted = _wanted(name, policy, unit, share, given, standing=standing)
    one = experiments.designed(wanted, actor=ACTOR, at=context.clock.now())
    with console.status("reading the history"):
        one, power = tuned(context, tenant_id, one, given="n_optimal" in given)
    with context.store.write(tenant_id) as session:
        store.create_experiment(session, one)
    typer.echo(f"designed {name}; start it with `rightrep experiment start {name}`")
    if power is None:
        typer.echo("  The history holds nothing to compare: no lead was won in it.")
    else:
        _print_power(power)


@app.command()
def power(
    policy: Policy = "optimal",
    unit: Unit = UnitKind.LEAD,
    share: Share = 0.5,
    file: DesignFile = None,
) -> None:
    """Print what a design could find, from the history so far; writes nothing."""
    context, tenant_id = opened()
    given = _given(file)
    wanted = _wanted("preview", policy, unit, share, given)
    one = experiments.designed(wanted, actor=ACTOR, at=context.clock.now())
    with console.status("reading the history"):
        found = power_of(context, tenant_id, one, tuned="n_optimal" not in given)
    _print_power(found)


@app.command()
def start(name: Name) -> None:
    """Give leads to its arms from now on; the champion of this moment is frozen."""
    context, tenant_id = opened()
    with context.store.write(tenant_id) as session:
        one = experiments.start(session, name, at=context.clock.now())
    frozen = one.design["model_version"]
    typer.echo(f"{name} runs; model frozen: {frozen or 'none'}")


@app.command()
def stop(
    name: Name, because: Annotated[str, typer.Option(help="Why, in your words.")]
) -> None:
    """Give no more leads to its arms; those drawn go on being judged."""
    context, tenant_id = opened()
    with context.store.write(tenant_id) as session:
        experiments.stop(session, name, because=because, at=context.clock.now())
    typer.echo(f"stopped {name}")


@app.command(name="list")
def list_() -> None:
    """Print every experiment, the newest first."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        found = store.list_experiments(session)
    for one in found:
        control, treatment = experiments.arms_in_order(one)
        typer.echo(
            f"{one.experiment}: {treatment.policy} against {control.policy}, "
            f"{treatment.share:.0%} of {one.unit_kind.value}s; {_state(one)}"
        )


@app.command()
def report(name: Name) -> None:
    """Print what may be concluded today; looking every day is allowed."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        found = read_report(session, name, at=context.clock.now())
    for line in report_in_words(found):
        typer.echo(line)


def report_in_words(found: Reported) -> list[str]:
    """A report, line by line."""
    told = found.report
    lines = [told.in_words()]
    lines += [_effect_line(metric, found) for metric in told.effects]
    lines += [
        f"  {rail.name}: {rail.effect.treatment_mean:.3g} against "
        f"{rail.effect.control_mean:.3g} (between {rail.effect.low:+.3g} and "
        f"{rail.effect.high:+.3g}){', BROKEN' if rail.broken else ''}"
        for rail in told.guardrails
    ]
    if found.spread is not None:
        lines.append(
            f"  load spread: {found.spread[1]:.1%} against {found.spread[0]:.1%}"
        )
    if not told.srm.mismatch:
        lines.append(f"  {told.srm.in_words()}")
    lies = {
        "pooled": found.naive.pooled,
        "promised by the model": found.naive.promised,
    }
    said = [f"{name} {lie:+.1%}" for name, lie in lies.items() if lie == lie]
    if said:
        lines.append(f"  figures that lie: {', '.join(said)}")
    return [*lines, *(f"  {one}" for one in (*found.couplings, *found.warnings))]


def _effect_line(metric: Metric, found: Reported) -> str:
    one = found.report.effects[metric]
    means = [f"{mean:.4g}" for mean in (one.treatment_mean, one.control_mean)]
    if metric is Metric.VALUE:
        currency = found.tenant.currency
        scale = 10 ** minor_digits(currency)
        means = [
            f"{mean / scale:,.2f} {currency}"
            for mean in (one.treatment_mean, one.control_mean)
        ]
    # Where an arm has won nothing there is no ratio.
    ratio = ""
    if one.relative_low == one.relative_low:
        ratio = (
            f", {one.relative:+.1%} (between {one.relative_low:+.1%} and "
            f"{one.relative_high:+.1%})"
        )
    return (
        f"  {metric.value}: {means[0]} against {means[1]} a lead{ratio} on "
        f"{one.n_treatment:,} and {one.n_control:,} leads"
    )


def _print_power(found: Power) -> None:
    prior = found.prior
    typer.echo(f"  {found.in_words()}")
    typer.echo(
        f"  so far {prior.mean:.4g} a lead, {prior.units_per_day:,.1f} units a day, "
        f"{prior.explained:.0%} of the variance explained ({prior.n_leads:,} leads)"
    )
    for one in found.smallest:
        typer.echo(
            f"  after {one.days} days: {one.at_any_look:.1%} looking daily, "
            f"{one.at_the_end:.1%} looking once"
        )
    for warning in found.warnings:
        typer.echo(f"  {warning}")


def _given(file: Path | None) -> dict[str, Any]:
    return {} if file is None else json_object(file, "--file")


def _wanted(
    name: str,
    policy: str,
    unit: UnitKind,
    share: float,
    given: dict[str, Any],
    *,
    standing: bool = False,
) -> Wanted:
    arms = (
        Arm(arm=CONTROL, policy=LOT, share=1 - share),
        Arm(arm=TREATMENT, policy=policy, share=share),
    )
    return Wanted(
        experiment=name, unit_kind=unit, arms=arms, design=given, standing=standing
    )


def _state(one: Experiment) -> str:
    if one.started_at is None:
        return "not started"
    if one.stopped_at is None:
        return f"runs since {one.started_at:%Y-%m-%d %H:%M}"
    return f"stopped {one.stopped_at:%Y-%m-%d %H:%M}: {one.stopped_because}"

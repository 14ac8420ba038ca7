"""Plan a batch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from optimizer.policies import POLICIES
from optimizer.verify import violations
from rightrep.domain.lead import LeadKind
from rightrep.domain.money import minor_digits
from rightrep.domain.plan import LineState
from rightrep.errors import InvalidInput
from serving.commands.common import ACTOR, clock_at, console, opened, tenant_of
from serving.usecases.committing import commit_plan
from serving.usecases.fair_shares import FairAnswer
from serving.usecases.keeping import keep_plan
from serving.usecases.lead_scores import scored_before
from serving.usecases.planning import (
    MadePlan,
    PlanRequest,
    make_plan,
)
from serving.usecases.telling import write_plan


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(plan)


def plan(
    policy: Annotated[
        str | None, typer.Option(help="Policy; the tenant's own by default.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a row per lead to this CSV file.")
    ] = None,
    commit: Annotated[bool, typer.Option(help="Act on it.")] = False,
    as_of: Annotated[str | None, typer.Option(help="Plan as of then.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every draw.")] = 0,
    kind: Annotated[
        LeadKind, typer.Option(help="Leads, or work orders.")
    ] = LeadKind.LEAD,
) -> None:
    """Share out every lead, or work order, that has no owner."""
    if policy is not None:
        _require_policy(policy, "--policy")
    context, tenant_id = opened()
    zone = tenant_of(context, tenant_id).time_zone
    clock = clock_at(as_of, zone)
    if clock is not None:
        if commit:
            raise InvalidInput("A plan of the past cannot be committed.")
        context, tenant_id = opened(clock)
    request = PlanRequest(policy=policy, kind=kind, seed=seed, actor=ACTOR)
    with console.status("planning"):
        made = make_plan(context, tenant_id, request)
        version = made.header.rule_set if commit else None
        scored = scored_before(context, made.situation, version)
        with context.store.write(tenant_id) as session:
            keep_plan(session, made)
            done = {}
            if commit:
                done = commit_plan(
                    session,
                    made.header.plan_id,
                    at=context.clock.now(),
                    actor=ACTOR,
                    scored=scored,
                )
    if out is not None:
        write_plan(context.store, tenant_id, made, out)
    for line in plan_in_words(made, done):
        typer.echo(line)


def _require_policy(name: str, option: str) -> None:
    if name not in POLICIES:
        raise InvalidInput(
            f"There is no policy {name!r}.",
            field=option,
            remedy=f"Give one of {', '.join(POLICIES)}.",
        )


def plan_in_words(
    made: MadePlan, done: Mapping[LineState, int] | None = None
) -> list[str]:
    """A plan, its worth and its proof, line by line."""
    header, problem = made.header, made.chosen.problem
    currency = made.situation.tenant.currency
    scale = 10 ** minor_digits(currency)
    broken = violations(problem, made.chosen.plan)
    assigned = header.problem["assigned"]
    what = "work orders" if header.kind is LeadKind.TICKET else "leads"
    given = f"{assigned:,} of {problem.n_leads:,} {what} to {problem.n_reps:,} reps"
    lines = [
        f"plan {header.plan_id}",
        f"policy {header.policy}: {given}, {len(broken)} limits broken",
    ]
    if header.fallback:
        lines.append(f"fallback: {header.fallback}")
    if header.value is not None:
        lines.append(f"expected value {header.value / scale:,.0f} {currency}")
        for name, row in header.baselines.items():
            more = header.value - row["value"]
            share = f" ({more / row['value']:+.1%})" if row["value"] > 0 else ""
            lines.append(f"  {more / scale:+,.0f} {currency}{share} over {name}")
    if header.bound is not None and header.gap is not None:
        counted = " with waiting counted" if "weighed_value" in header.problem else ""
        lines.append(
            f"proof: no plan is worth more than {header.bound / scale:,.0f} "
            f"{currency}{counted}; gap {header.gap:.1e}"
        )
    if made.chosen.fair is not None:
        lines += _fairness_in_words(made, made.chosen.fair)
    if done:
        lines.append(
            "committed: "
            + ", ".join(f"{n:,} {state.value}" for state, n in done.items())
        )
    return lines


def _fairness_in_words(made: MadePlan, fair: FairAnswer) -> list[str]:
    """Spread, floors and what binds, line by line."""
    summary = fair.summary(made.situation.rep_ids)
    bound = ", ".join(
        f"{limit} of {len(names)}" for limit, names in summary["binding"].items()
    )
    lines = [f"fairness: spread {summary['spread']:.3f}; binding: {bound}"]
    if summary["promised"]:
        kept = summary["promised"] - summary["shortfall"]
        lines.append(f"floors: {kept} of {summary['promised']} promised leads kept")
    lines += [
        f"  {name}: {short} promised leads short"
        for name, short in zip(fair.terms.names, fair.shortfall.tolist(), strict=True)
        if short
    ]
    return lines

"""The whole product on a demo market, in one command."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer

from experiments.design import Design
from rightrep.domain.ids import TenantId
from rightrep.domain.roles import Role
from rightrep.intake.fields import Kind
from rightrep.settings import Settings
from rightrep.store import models, plans
from serving.commands.common import ACTOR
from serving.commands.data import import_with_bar, in_words
from serving.commands.run import require_port, run_server
from serving.commands.share import plan_in_words
from serving.usecases.context import Context
from serving.usecases.experiment_report import read_report
from serving.usecases.keeping import keep_plan
from serving.usecases.learning import learn, name_champion, publish
from serving.usecases.past_lottery import log_past_lottery
from serving.usecases.planning import PlanRequest, make_plan
from serving.usecases.telling import write_plan
from serving.usecases.tenancy import new_key, prepare_store

KEY_FILE = "demo.key"
PAST, PAST_DAYS = "managers", 360
"""The experiment that the past of the demo market is: its managers against a lot."""
REP_EFFECT = 1.5
"""Reps differ more than in the usual market, so that 12,000 leads show it."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8000,
    serve: Annotated[bool, typer.Option(help="Serve when it is ready.")] = True,
    leads: Annotated[int, typer.Option(help="Leads of a new market.")] = 12_000,
    reps: Annotated[int, typer.Option(help="Reps of a new market.")] = 40,
) -> None:
    """Build a demo market, train, register, plan and serve; keeps what is there."""
    if serve:
        require_port("127.0.0.1", port)
    context = Context.of(Settings())
    tenant_id = prepare_store(
        context, name="Demo", time_zone="Asia/Shanghai", currency="CNY"
    )
    if _is_ready(context, tenant_id):
        typer.echo(f"The demo market in {context.settings.home} is kept as it is.")
    else:
        _build(context, tenant_id, n_leads=leads, n_reps=reps)
    key = _key(context, tenant_id)
    if not serve:
        return
    typer.echo(f"\nopen   http://127.0.0.1:{port}/sign-in#{key}")
    typer.echo(f"call   curl -H 'Authorization: Bearer {key}' \\")
    typer.echo(f"         http://127.0.0.1:{port}/v1/decisions?limit=1")
    typer.echo(f"read   http://127.0.0.1:{port}/docs\n")
    run_server(context, host="127.0.0.1", port=port, jobs=True)


def _is_ready(context: Context, tenant_id: TenantId) -> bool:
    with context.store.read(tenant_id) as session:
        return models.champion(session) is not None and bool(
            plans.list_plans(session, limit=1)
        )


def _build(context: Context, tenant_id: TenantId, *, n_leads: int, n_reps: int) -> None:
    from experiments.simulate import MarketSettings, write_demo

    home = context.settings.home
    with _timed("simulate"):
        today = context.clock.now().replace(minute=0, second=0, microsecond=0)
        made = write_demo(
            home / "demo",
            MarketSettings(
                n_leads=n_leads, n_reps=n_reps, end=today, rep_effect=REP_EFFECT
            ),
        )
    for name, path in made.files.items():
        report = import_with_bar(context, tenant_id, Kind(name), path)
        typer.echo(f"  import {in_words(report)}")
    _keep_lottery(context, tenant_id)
    with _timed("train"):
        learnt = learn(context, tenant_id, as_of=context.clock.now())
        with context.store.write(tenant_id) as session:
            publish(session, context, learnt, actor=ACTOR)
        if learnt.verdict.promoted:
            name_champion(context, tenant_id, learnt.version)
    _tell(learnt.in_words())
    with _timed("plan"):
        plan = make_plan(context, tenant_id, PlanRequest(actor=ACTOR))
        with context.store.write(tenant_id) as session:
            keep_plan(session, plan)
        write_plan(context.store, tenant_id, plan, home / "plan.csv")
    _tell([*plan_in_words(plan), f"every lead of it is in {home / 'plan.csv'}"])


def _keep_lottery(context: Context, tenant_id: TenantId) -> None:
    """A quarter of the past leads was drawn by lot: that is an experiment."""
    at = context.clock.now()
    with _timed("measure"):
        with context.store.write(tenant_id) as session:
            log_past_lottery(
                session,
                PAST,
                Design(horizon_days=45, n_optimal=PAST_DAYS * 20.0),
                since=at - timedelta(days=PAST_DAYS),
                at=at,
                because="RightRep takes over",
            )
        with context.store.read(tenant_id) as session:
            found = read_report(session, PAST, at=at)
    _tell([f"managers against a lot: {found.report.in_words()}"])


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        typer.echo(f"  {line}")


def _key(context: Context, tenant_id: TenantId) -> str:
    """The demo's key, kept in a file that only its owner can read."""
    path = context.settings.home / KEY_FILE
    if path.exists():
        return path.read_text().strip()
    secret = new_key(context, tenant_id, Role.ADMIN, "demo").secret
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(secret)
    return secret


@contextmanager
def _timed(what: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    typer.echo(f"{what:<10}{time.perf_counter() - begun:6.1f} s")

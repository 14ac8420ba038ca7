"""The HTTP application, joined from its parts; nothing connects at import."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from serving import errors
from serving.observe import Bounded, Observed
from serving.routes import (
    alarms,
    assignments,
    channel_costs,
    decisions,
    duplicates,
    experiments,
    feedback,
    followup,
    handover,
    health,
    jobs,
    leads,
    marks,
    models,
    ownership,
    pools,
    reps,
    rules,
    scores,
    service,
    settings,
    sharing,
    system,
    visits,
    webhooks,
)
from serving.usecases.context import Context
from serving.web import pages

NOUNS = (
    leads,
    scores,
    marks,
    health,
    reps,
    rules,
    assignments,
    feedback,
    channel_costs,
    decisions,
    duplicates,
    ownership,
    pools,
    alarms,
    experiments,
    followup,
    visits,
    handover,
    jobs,
    models,
    settings,
    sharing,
    service,
    webhooks,
)
"""Routes of each noun, in the order of the document."""

MAX_BODY_BYTES = 8 * 1024 * 1024

DESCRIPTION = """\
Give every sales lead to its right rep.

Send leads and reps, ask for the next best rep or a batch plan, tell what happened.
Every error is a problem document (RFC 9457). A POST that changes something takes an
`Idempotency-Key`: same key and body, same answer, one effect."""


def create_app(context: Context) -> FastAPI:
    """The application over these parts."""

    @asynccontextmanager
    async def closing(_: FastAPI) -> AsyncIterator[None]:
        yield
        context.store.close()

    app = FastAPI(
        title="RightRep",
        version="0.1.0",
        description=DESCRIPTION,
        lifespan=closing,
    )
    app.state.context = context
    errors.install(app)
    app.include_router(system.router)
    for routes in NOUNS:
        app.include_router(routes.router, responses=errors.common_answers())
    pages.install(app)
    app.add_middleware(Bounded, max_bytes=MAX_BODY_BYTES)
    app.add_middleware(Observed, metrics=context.metrics)
    return app

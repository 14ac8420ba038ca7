"""Is every answer one of those that the API documents, and of one's own tenant?

    python -m benchmarks.fuzz [--quick]

Cases are drawn from the OpenAPI document, half of them good, half of them bad in one
way or more; where the path names a record, every other case names one that there is.
Each is sent three times: with an admin's key; with the same key to a record of another
tenant, where the path names a record; and without a key. An answer is broken when it
is a 5xx, when its status, type or body is not documented, when a stranger got anything,
or when a word of the other tenant is in it.
"""

import itertools
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import schemathesis
import structlog
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import CHECKS, CheckContext, load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from benchmarks.common import Figure, Row, options, publish
from rightrep.domain.ids import LeadId, TenantId
from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from rightrep.store.health import customer_of
from tests.serving_parts import Served, serve

OTHER, MARK = "other", "kestrel"
"""The other tenant, and a word that is in its records and nowhere else."""

CASES, QUICK_CASES = 10_000, 400
TO_STRANGERS = {400, 401, 404, 405, 413, 422}
PROMISES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


Check = Callable[[CheckContext, Response, Case[Any]], bool | None] | type[Any]
Operation = APIOperation[Any, Any, Any, Any]


@dataclass(frozen=True)
class Records:
    """A tenant and one record of each kind.

    Attributes:
        served: The tenant behind the API.
        ids: Of the records, by the name of the path's parameter.
    """

    served: Served
    ids: Mapping[str, str]


@dataclass
class Tally:
    """What became of the cases of one part of the API."""

    counts: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Send the cases, print the table, write the JSON."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    load_all_checks()
    with two_tenants() as (ours, theirs):
        app = ours.served.http.app
        document = schemathesis.openapi.from_asgi("/openapi.json", app)
        found = document.get_all_operations()
        operations = [one.ok() for one in found if isinstance(one, Ok)]
        each = -(-(QUICK_CASES if asked.quick else CASES) // len(operations))
        tallies: dict[str, Tally] = {}
        for operation in operations:
            part = operation.path.removeprefix("/v1").split("/")[1]
            tally = tallies.setdefault(part, Tally())
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                send(operation, mode, -(-each // 2), ours, theirs, tally)
    return publish(_figure(tallies), quick=asked.quick)


def send(
    operation: Operation,
    mode: GenerationMode,
    cases: int,
    ours: Records,
    theirs: Records,
    tally: Tally,
) -> None:
    """Send cases of one operation.

    Args:
        operation: As schemathesis reads it.
        mode: Good ones, or bad ones.
        cases: How many.
        ours: Who asks.
        theirs: The other tenant.
        tally: Where to count.
    """
    promises = CHECKS.get_by_names(list(PROMISES))
    keyed = {"Authorization": f"Bearer {ours.served.keys[Role.ADMIN]}"}
    named = {one.name for one in operation.path_parameters} & ours.ids.keys()

    @seed(0)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def each(case: Case[Any]) -> None:
        tally.counts["cases"] += 1
        if tally.counts["cases"] % 2:
            case.path_parameters |= {name: ours.ids[name] for name in named}
        try:
            ask(case)
        except Exception as error:  # noqa: BLE001 - what no handler took is a 500
            tally.broken.append(f"{_name(case)}: {type(error).__name__}")

    def ask(case: Case[Any]) -> None:
        answer = case.call(headers=keyed)
        tally.counts["done" if answer.status_code < 400 else "refused"] += 1
        tally.broken += _unkept(case, answer, promises)
        if named:
            case.path_parameters |= {name: theirs.ids[name] for name in named}
            tally.counts["at others' records"] += 1
            tally.broken += _told(case, case.call(headers=keyed))
        stranger = case.call()
        if case.path.startswith("/v1") and stranger.status_code not in TO_STRANGERS:
            tally.broken.append(f"{_name(case)}: {stranger.status_code} to strangers")

    try:
        each()
    except Unsatisfiable:  # nothing about it can be bad
        return


@contextmanager
def two_tenants() -> Iterator[tuple[Records, Records]]:
    """Who asks, and another tenant of the same database."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        store = Store(f"sqlite:///{home / 'store.db'}")
        store.migrate()
        ours = serve(store, home)
        theirs = serve(store, home, tenant_id=TenantId(OTHER))
        yield _with_records(ours, "sparrow"), _with_records(theirs, MARK)
        store.close()


def _with_records(served: Served, mark: str) -> Records:
    """One record of each kind, all of which hold the word."""
    (rep,) = served.add_reps(mark)
    lead, _ = served.add_leads(
        f"{mark} 1", f"{mark} 2", company=mark, region=mark, channel=mark
    )
    made = _good(served.next(lead))
    job = _good(served.post("/v1/assignments/plan", {"policy": "round_robin"}))
    while served.work():
        pass
    done = _good(served.get(f"/v1/jobs/{job['job_id']}"))
    hook = {"url": f"http://127.0.0.1:9/{mark}"}
    told = _good(served.post("/v1/webhooks", hook, role=Role.ADMIN))
    with served.context.store.read(TenantId(served.context.settings.tenant)) as session:
        customer = customer_of(session, LeadId(lead))
    ids = {
        "lead_id": lead,
        "rep_id": rep,
        "decision_id": made["decision_id"],
        "customer_id": str(customer),
        "job_id": job["job_id"],
        "plan_id": done["result"]["plan_id"],
        "endpoint_id": told["endpoint_id"],
    }
    return Records(served, ids)


def _good(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, answer.text
    good: dict[str, Any] = answer.json()
    return good


def _unkept(case: Case[Any], answer: Response, promises: Sequence[Check]) -> list[str]:
    told = _told(case, answer)
    try:
        case.validate_response(answer, checks=list(promises))
    except FailureGroup as failed:
        told += [f"{_name(case)}: {one.title}" for one in failed.exceptions]
    return told


def _told(case: Case[Any], answer: Response) -> list[str]:
    told = []
    if answer.status_code >= 500:
        told.append(f"{_name(case)}: {answer.status_code}")
    if MARK in answer.text:
        told.append(f"{_name(case)}: another tenant's words")
    return told


def _name(case: Case[Any]) -> str:
    return f"{case.method.upper()} {case.path}"


def _figure(tallies: Mapping[str, Tally]) -> Figure:
    rows: list[Row] = [
        {
            "part": part,
            "cases": tally.counts["cases"],
            "done": tally.counts["done"],
            "refused": tally.counts["refused"],
            "at others' records": tally.counts["at others' records"],
            "broken": len(tally.broken),
        }
        for part, tally in sorted(tallies.items())
    ]
    broken = list(itertools.chain.from_iterable(t.broken for t in tallies.values()))
    kinds = [f"{count} x {what}" for what, count in Counter(broken).most_common(20)]
    n_cases = sum(tally.counts["cases"] for tally in tallies.values())
    return Figure(
        name="fuzz",
        value=len(broken),
        bar=0,
        holds=not broken,
        rows=rows,
        title=f"{n_cases:,} cases drawn from the OpenAPI document",
        notes=[
            "value: answers that are 5xx, not as documented, given to strangers, or "
            "hold another tenant's words",
            "each case is also sent without a key, and, where its path names a record, "
            "with the id of another tenant's",
            *kinds,
        ],
    )


if __name__ == "__main__":
    sys.exit(main())

"""Whatever is sent, the API answers as its OpenAPI document says, and never breaks."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS, load_all_checks
from starlette.testclient import TestClient

from rightrep.clock import FixedClock
from rightrep.domain.roles import Role
from rightrep.settings import Settings
from serving.app import create_app
from serving.usecases.context import Context
from serving.usecases.tenancy import new_key, prepare_store
from tests.serving_parts import NOON, Served

load_all_checks()
PROMISES = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    ]
)
EXAMPLES = int(os.environ.get("RIGHTREP_FUZZ_EXAMPLES", "8"))


CONTEXT = Context.of(Settings(home=Path(tempfile.mkdtemp(prefix="rightrep-fuzz-"))))
APP = create_app(CONTEXT)  # the document needs no database
schema = schemathesis.openapi.from_asgi("/openapi.json", APP)


@pytest.fixture(scope="module")
def key() -> Iterator[str]:
    """An admin's key of a small tenant."""
    tenant_id = prepare_store(CONTEXT)
    secret = new_key(CONTEXT, tenant_id, Role.ADMIN, "fuzz").secret
    served = Served(CONTEXT, FixedClock(NOON), TestClient(APP), {Role.SERVICE: secret})
    served.add_reps("r1", "r2")
    served.add_leads("l1", "l2")
    yield secret
    shutil.rmtree(CONTEXT.settings.home)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
def test_every_answer_is_documented(case: Any, key: str) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, checks=PROMISES)
    stranger = case.call()

    if case.path.startswith("/v1"):
        assert stranger.status_code in {400, 401, 404, 405, 413, 422}

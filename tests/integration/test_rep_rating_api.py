"""Who may read a rep's rating, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.known import Known
from features.recipe import Recipe
from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from serving.usecases.tenancy import new_key
from tests.made_history import made_history
from tests.serving_parts import ACME, Served, serve

N_REPS = 4


@dataclass(frozen=True)
class OneAdviser:
    """In place of every tenant's adviser: one that knows a made-up history."""

    known: Known
    version: str = "3"

    def get(self, *_: object, **__: object) -> "OneAdviser":
        return self


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return serve(store, tmp_path)


def rate(served: Served, rep_ids: Sequence[str]) -> None:
    """Let the served reps have a made-up history."""
    history = made_history(seed=5, n_leads=400, n_reps=N_REPS, oddities=False)
    known = Known.of(history, Recipe(label_window_days=40))
    known = known.rated(np.full(len(known.own.decisions.ids), 0.35))
    known = replace(known, own=replace(known.own, rep_ids=pd.Index(rep_ids)))
    object.__setattr__(served.context, "advisers", OneAdviser(known))


def test_a_manager_reads_a_rating_in_words(served: Served) -> None:
    rep_ids = served.add_reps(*(f"r{j}" for j in range(N_REPS)))
    rate(served, rep_ids)

    answer = served.get("/v1/reps/r1/rating", role=Role.MANAGER)

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["rep_id"], body["level"]) == (rep_ids[1], 0.9)
    first = body["standings"][0]
    assert first["scope"] == "overall"
    assert first["low"] < first["ratio"] < first["high"]
    assert f"{first['n_leads']} leads" in first["words"]["en"]
    assert f"{first['n_leads']} 条线索" in first["words"]["zh"]
    columns = {one["column"] for one in body["profile"]}
    assert {"tenure_days", "response_difference", "satisfaction_difference"} <= columns


def test_a_rep_reads_the_own_rating_only(served: Served) -> None:
    rep_ids = served.add_reps(*(f"r{j}" for j in range(N_REPS)))
    rate(served, rep_ids)
    key = new_key(served.context, ACME, Role.REP, "own", rep_id="r1").secret

    assert served.get("/v1/reps/r1/rating", key=key).status_code == 200
    assert served.get("/v1/reps/r2/rating", key=key).status_code == 403
    assert served.get("/v1/reps/r2/rating", role=Role.ADMIN).status_code == 200
    assert served.get("/v1/reps/r2/rating", role=Role.ANALYST).status_code == 403


def test_there_is_no_rating_of_nobody_or_without_a_model(served: Served) -> None:
    served.add_reps("r1")

    nobody = served.get("/v1/reps/nobody/rating", role=Role.MANAGER)
    untrained = served.get("/v1/reps/r1/rating", role=Role.MANAGER)

    assert nobody.status_code == 404
    assert untrained.status_code == 409
    assert "no model was trained yet" in untrained.json()["detail"]

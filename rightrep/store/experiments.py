"""Experiments on disk: designs, and the log of which lead belongs to which arm.

The log is only added to, and a lead's first arm stays: effects are by intention to
treat. At most one experiment runs at a time, and one holdout beside it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Select, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from rightrep.domain.experiment import Arm, ArmOfUnit, Experiment, UnitKind
from rightrep.domain.ids import LeadId
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store.arrow import FLOAT, TEXT, TIME, read_table
from rightrep.store.guard import of_tenant
from rightrep.store.rows import insert_new
from rightrep.store.schema_plans import arms, experiment_units, experiments
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches

UNITS = {
    "unit": TEXT,
    "arm": TEXT,
    "stratum": TEXT,
    "cluster": TEXT,
    "covariate": FLOAT,
    "logged_at": TIME,
}
"""Columns of the log of one experiment."""

_OWN_COLUMNS = [name for name in Experiment.__slots__ if name != "arms"]


def create_experiment(session: WriteSession, designed: Experiment) -> None:
    """Keep a design; units are not given to its arms yet.

    Raises:
        InvalidInput: It could not be run.
        Conflict: There is an experiment of this name.
    """
    designed.require_runnable()
    row = {name: getattr(designed, name) for name in _OWN_COLUMNS}
    adding = session.insert(experiments).on_conflict_do_nothing()
    if not session.execute(adding.returning(experiments.c.experiment), row).first():
        raise Conflict(f"There is an experiment {designed.experiment!r} already.")
    rows = [
        {name: getattr(arm, name) for name in Arm.__slots__}
        | {"experiment": designed.experiment}
        for arm in designed.arms
    ]
    session.execute(insert(arms), rows)


def start_experiment(
    session: WriteSession,
    name: str,
    *,
    at: datetime,
    design: Mapping[str, Any] | None = None,
) -> None:
    """Give units to its arms from now on.

    Args:
        session: The transaction.
        name: The experiment.
        at: Now.
        design: What the start fixes of it, such as the model's version; None leaves it
            as it was designed.

    Raises:
        NotFound: No such experiment.
        InvalidInput: It could not be run.
        Conflict: It has been started before, or another one is running.
    """
    read_experiment(session, name).require_runnable()
    values: dict[str, object] = {"started_at": at}
    if design is not None:
        values["design"] = dict(design)
    try:
        with session.savepoint():
            _change(session, name, values, being="ready")
    except IntegrityError as error:
        standing = read_experiment(session, name).standing
        running = running_experiments(session)
        [other] = [one.experiment for one in running if one.standing == standing]
        raise Conflict(
            f"Experiment {other!r} is running, and leads belong to one at a time. "
            "Stop it first."
        ) from error


def stop_experiment(
    session: WriteSession, name: str, *, at: datetime, because: str
) -> None:
    """Give no more units to its arms; what is logged stays.

    Raises:
        NotFound: No such experiment.
        Conflict: It is not running.
    """
    values = {"stopped_at": at, "stopped_because": because}
    _change(session, name, values, being="running")


def read_experiment(session: ReadSession, name: str) -> Experiment:
    """One experiment with its arms.

    Raises:
        NotFound: No such experiment.
    """
    found = _experiments(session, _ONE, {"name": name})
    if not found:
        raise NotFound("experiment", name)
    return found[0]


def list_experiments(session: ReadSession) -> list[Experiment]:
    """Every experiment, the newest first."""
    return _experiments(session, _EVERY)


def running_experiments(session: ReadSession) -> list[Experiment]:
    """Those that units are given to, the newest first."""
    return _experiments(session, _RUNNING)


def log_units(
    session: WriteSession, name: str, drawn: Sequence[ArmOfUnit], *, at: datetime
) -> dict[str, str]:
    """Log which arm leads belong to, before their outcomes exist.

    Args:
        session: The transaction of whatever is done with them.
        name: The experiment.
        drawn: Leads with the arms drawn for them, or for their clusters.
        at: Now.

    Returns:
        The arm of each lead, by id: the one drawn, or the one logged before.

    Raises:
        NotFound: No such experiment.
        Conflict: It is not running.
        InvalidInput: An arm is not one of the experiment's.
    """
    running = read_experiment(session, name)
    if running.started_at is None or running.stopped_at is not None:
        raise Conflict(f"Experiment {name!r} is not running.")
    strangers = {unit.arm for unit in drawn} - {arm.arm for arm in running.arms}
    if strangers:
        raise InvalidInput(f"{name!r} has no arm {min(strangers)!r}.", field="arm")
    rows = [
        {column: getattr(unit, column) for column in ArmOfUnit.__slots__}
        | {"experiment": name, "logged_at": at}
        # In one order everywhere: two plans may have the same leads.
        for unit in sorted(drawn, key=lambda unit: unit.unit)
    ]
    insert_new(session, experiment_units, rows)
    return _logged(session, name, [unit.unit for unit in drawn])


def arms_of_leads(
    session: ReadSession, name: str, lead_ids: Sequence[LeadId]
) -> dict[LeadId, str]:
    """The arm of each of these leads that has one in an experiment, by lead."""
    found = _logged(session, name, lead_ids)
    return {lead: found[lead] for lead in lead_ids if lead in found}


def drawn_after(
    session: ReadSession, name: str, lead_ids: Sequence[LeadId], at: datetime
) -> dict[LeadId, str]:
    """The arm of each of these leads that was drawn later than an instant, by lead."""
    later = _DRAWN.where(experiment_units.c.logged_at > at)
    return {
        LeadId(row.unit): row.arm
        for batch in batches(lead_ids)
        for row in session.execute(later, {"name": name, "units": list(batch)})
    }


def read_units(session: ReadSession, name: str) -> pa.Table:
    """The log of one experiment as a table of ``UNITS``, in the order of its units."""
    query = (
        select(*(experiment_units.c[column] for column in UNITS))
        .where(of_tenant(experiment_units), experiment_units.c.experiment == name)
        .order_by(experiment_units.c.unit)
    )
    return read_table(session, query, UNITS)


_OTHERWISE = {"ready": "was started before", "running": "is not running"}

_BEING = {
    "ready": (experiments.c.started_at.is_(None),),
    "running": (
        experiments.c.started_at.is_not(None),
        experiments.c.stopped_at.is_(None),
    ),
}


_EVERY = (
    select(*(experiments.c[column] for column in _OWN_COLUMNS))
    .where(of_tenant(experiments))
    .order_by(experiments.c.created_at.desc(), experiments.c.experiment)
)
_RUNNING = _EVERY.where(*_BEING["running"])
_ONE = _EVERY.where(experiments.c.experiment == bindparam("name"))
_DRAWN = select(experiment_units.c.unit, experiment_units.c.arm).where(
    of_tenant(experiment_units),
    experiment_units.c.experiment == bindparam("name"),
    experiment_units.c.unit.in_(any_of("units")),
)
_ARMS = select(arms).where(of_tenant(arms)).order_by(arms.c.arm)


def _change(
    session: WriteSession, name: str, values: dict[str, object], *, being: str
) -> None:
    mine = (of_tenant(experiments), experiments.c.experiment == name, *_BEING[being])
    if session.execute(update(experiments).where(*mine).values(values)).rowcount == 0:
        read_experiment(session, name)
        raise Conflict(f"Experiment {name!r} {_OTHERWISE[being]}.")


def _experiments(
    session: ReadSession, query: "Select[Any]", asked: Mapping[str, str] | None = None
) -> list[Experiment]:
    found = session.execute(query, asked)
    rows = found.mappings().all()
    compared = _arms(session) if rows else {}
    return [
        Experiment(
            **{**row, "unit_kind": UnitKind(row["unit_kind"])},
            arms=compared[row["experiment"]],
        )
        for row in rows
    ]


def _arms(session: ReadSession) -> dict[str, list[Arm]]:
    compared: dict[str, list[Arm]] = defaultdict(list)
    for row in session.execute(_ARMS).mappings():
        arm = Arm(**{name: row[name] for name in Arm.__slots__})
        compared[row["experiment"]].append(arm)
    return compared


def _logged(session: ReadSession, name: str, units: Sequence[str]) -> dict[str, str]:
    return {
        row.unit: row.arm
        for batch in batches(units)
        for row in session.execute(_DRAWN, {"name": name, "units": list(batch)})
    }

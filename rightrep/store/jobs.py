"""Jobs: work that outlives its request, done once however often workers die.

A job is written in the transaction that wants it, so it exists if and only if that
commits. A worker claims it with a lease, works, and then writes the effect and the end
of the job in one transaction::

    with store.system() as session:
        lease = claim_job(session, worker=name, at=clock.now(), lease_for=minute)
    with store.write(lease.tenant_id) as session:
        ...  # the effect
        finish_job(session, lease, at=clock.now())

A worker that dies leaves its job to the next one when the lease ends. One that was only
slow loses the lease, and ``finish_job`` undoes its effect by raising ``LeaseLost``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, delete, or_, select, update

from rightrep.domain.ids import TenantId, new_id
from rightrep.domain.job import OPEN, Job, JobState, Lease, backoff
from rightrep.errors import Conflict, LeaseLost, NotFound
from rightrep.store.guard import of_tenant
from rightrep.store.schema_ops import jobs
from rightrep.store.session import ReadSession, SystemSession, WriteSession

MAX_ATTEMPTS = 5


class Enqueued(NamedTuple):
    """What became of a wish for work."""

    job_id: str
    is_new: bool
    """False when a job with the same key was there; ``job_id`` is that one's."""


def enqueue(
    session: WriteSession,
    kind: str,
    args: Mapping[str, Any],
    *,
    at: datetime,
    run_at: datetime | None = None,
    once_key: str | None = None,
    open_key: str | None = None,
    max_attempts: int = MAX_ATTEMPTS,
) -> Enqueued:
    """Ask for work; nobody sees it before the caller's transaction commits.

    Args:
        session: The caller's transaction.
        kind: What is to be done.
        args: What with; JSON.
        at: Now.
        run_at: When it may start; ``at`` when not given.
        once_key: At most one job of this kind ever has it ("one run per night").
        open_key: At most one open job of this kind has it ("one retraining at once").
        max_attempts: Starts before it fails for good; positive.

    Raises:
        Conflict: The key's holders came and went faster than one could be found.
    """
    row = {
        "job_id": new_id(at),
        "kind": kind,
        "args": dict(args),
        "state": JobState.QUEUED,
        "run_at": run_at or at,
        "due_at": run_at or at,
        "attempts": 0,
        "max_attempts": max_attempts,
        "once_key": once_key,
        "open_key": open_key,
        "progress": 0.0,
        "created_at": at,
    }
    for _ in range(3):
        asking = session.insert(jobs).on_conflict_do_nothing()
        if session.execute(asking.returning(jobs.c.job_id), row).first():
            return Enqueued(str(row["job_id"]), is_new=True)
        holder = _holder(session, kind, once_key, open_key)
        if holder is not None:
            return Enqueued(holder, is_new=False)
    raise Conflict(f"Another {kind} job was just asked for; ask again.")


def schedule(
    session: WriteSession,
    kind: str,
    args: Mapping[str, Any],
    *,
    run_at: datetime,
    at: datetime,
) -> Enqueued:
    """Ask for one occurrence of recurring work; asking again changes nothing.

    Every process may ask for the next occurrence as often as it likes
    (``domain.recurrence`` says when that is): ``run_at`` is its key.
    """
    return enqueue(
        session, kind, args, at=at, run_at=run_at, once_key=_occurrence(run_at)
    )


def unschedule(
    session: WriteSession, kind: str, *, at: datetime, keep: datetime | None = None
) -> int:
    """Cancel occurrences that were asked for and are not due yet.

    Args:
        session: Where to write.
        kind: Of which recurring work.
        at: Now; what is due already stays.
        keep: The occurrence that is still wanted, or None.

    Returns:
        How many were cancelled.
    """
    unwanted = [
        of_tenant(jobs),
        jobs.c.kind == kind,
        jobs.c.state == JobState.QUEUED,
        jobs.c.once_key.startswith(_OCCURRENCE),
        jobs.c.run_at > at,
    ]
    if keep is not None:
        unwanted.append(jobs.c.once_key != _occurrence(keep))
    # The key goes with it: the same occurrence may be wanted again later.
    closing = _closed(JobState.CANCELLED, at) | {"once_key": None}
    return session.execute(update(jobs).where(*unwanted).values(closing)).rowcount


def claim_job(
    session: SystemSession,
    *,
    worker: str,
    at: datetime,
    lease_for: timedelta,
    kinds: Sequence[str] | None = None,
) -> Lease | None:
    """Take the job that has been due longest, of any tenant; None when none is due.

    Jobs whose worker died on the last attempt are closed as failed on the way. The
    transaction must end before the work begins.

    Args:
        session: Its own transaction.
        worker: Who takes it; unique among living workers.
        at: Now.
        lease_for: How long nobody else may take it.
        kinds: Kinds this worker can do; all when not given.
    """
    while (row := session.execute(_due(at, kinds)).mappings().first()) is not None:
        mine = and_(
            jobs.c.tenant_id == row["tenant_id"], jobs.c.job_id == row["job_id"]
        )
        if row["attempts"] >= row["max_attempts"]:
            died = f"The worker died {row['attempts']} times while doing it."
            closing = _closed(JobState.FAILED, at) | {"error": died}
            session.execute(update(jobs).where(mine).values(closing))
            continue
        attempt = row["attempts"] + 1
        taking = {
            "state": JobState.RUNNING,
            "worker": worker,
            "due_at": at + lease_for,
            "started_at": at,
            "attempts": attempt,
        }
        session.execute(update(jobs).where(mine).values(taking))
        return Lease(
            tenant_id=TenantId(row["tenant_id"]),
            job_id=row["job_id"],
            kind=row["kind"],
            args=row["args"],
            worker=worker,
            attempt=attempt,
        )
    return None


def extend_lease(
    session: WriteSession,
    lease: Lease,
    *,
    until: datetime,
    progress: float | None = None,
    message: str | None = None,
) -> None:
    """Say that the worker lives and how far it is.

    Args:
        session: Its own, short transaction.
        lease: What was claimed.
        until: New end of the lease.
        progress: Share done, in [0, 1]; unchanged when not given.
        message: What it is doing; unchanged when not given.

    Raises:
        LeaseLost: Somebody else has the job, or it was cancelled: stop working.
    """
    said = {"progress": progress, "message": message}
    values = {key: value for key, value in said.items() if value is not None}
    _change(session, lease, values | {"due_at": until})


def finish_job(
    session: WriteSession, lease: Lease, *, at: datetime, result: object = None
) -> None:
    """Close the job as done, in the transaction of its effect.

    Raises:
        LeaseLost: Somebody else has the job, or it was cancelled; let the error out of
            the transaction, so that the effect is undone.
    """
    closing = _closed(JobState.DONE, at)
    _change(session, lease, closing | {"result": result, "progress": 1.0})


def fail_job(
    session: WriteSession,
    lease: Lease,
    *,
    at: datetime,
    error: str,
    retry: bool = True,
) -> JobState:
    """Say that the attempt failed: it is tried again later, or closed.

    Args:
        session: A transaction without the attempt's effect.
        lease: What was claimed.
        at: Now.
        error: Why, in a sentence for whoever asked for the job.
        retry: Whether another attempt could help.

    Returns:
        Queued when it is tried again, else failed.

    Raises:
        LeaseLost: Somebody else has the job, or it was cancelled.
    """
    job = read_job(session, lease.job_id)
    if not retry or lease.attempt >= job.max_attempts:
        _change(session, lease, _closed(JobState.FAILED, at) | {"error": error})
        return JobState.FAILED
    run_at = at + backoff(lease.attempt)
    waiting = {
        "state": JobState.QUEUED,
        "worker": None,
        "run_at": run_at,
        "due_at": run_at,
        "error": error,
    }
    _change(session, lease, waiting)
    return JobState.QUEUED


def cancel_job(session: WriteSession, job_id: str, *, at: datetime) -> None:
    """Close an open job; a worker doing it loses its lease, and its effect with it.

    Raises:
        NotFound: No such job.
        Conflict: It is closed already.
    """
    still_open = [of_tenant(jobs), jobs.c.job_id == job_id, jobs.c.state.in_(OPEN)]
    closing = update(jobs).where(*still_open).values(_closed(JobState.CANCELLED, at))
    if session.execute(closing).rowcount == 0:
        job = read_job(session, job_id)
        raise Conflict(f"Job {job_id} is {job.state} already.")


def read_job(session: ReadSession, job_id: str) -> Job:
    """One job.

    Raises:
        NotFound: No such job.
    """
    query = _jobs().where(jobs.c.job_id == job_id)
    row = session.execute(query).mappings().first()
    if row is None:
        raise NotFound("job", job_id)
    return Job(**{**row, "state": JobState(row["state"])})


def list_jobs(
    session: ReadSession,
    *,
    kind: str | None = None,
    state: JobState | None = None,
    limit: int = 100,
) -> list[Job]:
    """Jobs, the newest first.

    Args:
        session: Whose.
        kind: Of this kind only.
        state: In this state only.
        limit: At most so many.
    """
    query = _jobs().order_by(jobs.c.created_at.desc(), jobs.c.job_id.desc())
    if kind is not None:
        query = query.where(jobs.c.kind == kind)
    if state is not None:
        query = query.where(jobs.c.state == state)
    rows = session.execute(query.limit(limit)).mappings()
    return [Job(**{**row, "state": JobState(row["state"])}) for row in rows]


def purge_jobs(session: WriteSession, *, before: datetime) -> int:
    """Remove jobs closed before an instant, and free their keys; returns how many."""
    old = delete(jobs).where(of_tenant(jobs), jobs.c.finished_at < before)
    return session.execute(old).rowcount


_OCCURRENCE = "at "


def _occurrence(run_at: datetime) -> str:
    return f"{_OCCURRENCE}{run_at.isoformat()}"


_SHOWN = tuple(
    jobs.c[name]
    for name in (
        "job_id", "kind", "args", "state", "run_at", "attempts", "max_attempts",
        "progress", "message", "result", "error", "created_at", "started_at",
        "finished_at",
    )
)  # fmt: skip


def _jobs() -> Select[Any]:
    return select(*_SHOWN).where(of_tenant(jobs))


def _due(at: datetime, kinds: Sequence[str] | None) -> Select[Any]:
    """The job due longest; on PostgreSQL, of those no other worker is looking at."""
    query = (
        select(jobs)
        .where(jobs.c.due_at <= at)
        .order_by(jobs.c.due_at, jobs.c.job_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return query if kinds is None else query.where(jobs.c.kind.in_(kinds))


def _closed(state: JobState, at: datetime) -> dict[str, Any]:
    return {
        "state": state,
        "worker": None,
        "due_at": None,
        "open_key": None,
        "finished_at": at,
    }


def _change(session: WriteSession, lease: Lease, values: Mapping[str, Any]) -> None:
    """Change a job if the lease still holds.

    The attempt's number is the fence: a later claim, by whomever, ends this lease.
    """
    held = (
        of_tenant(jobs),
        jobs.c.job_id == lease.job_id,
        jobs.c.state == JobState.RUNNING,
        jobs.c.worker == lease.worker,
        jobs.c.attempts == lease.attempt,
    )
    changed = session.execute(update(jobs).where(*held).values(**values))
    if changed.rowcount != 1:
        raise LeaseLost(lease.job_id)


def _holder(
    session: WriteSession, kind: str, once_key: str | None, open_key: str | None
) -> str | None:
    keys = ((jobs.c.once_key, once_key), (jobs.c.open_key, open_key))
    same = or_(*(column == key for column, key in keys if key is not None))
    query = select(jobs.c.job_id).where(of_tenant(jobs), jobs.c.kind == kind, same)
    return session.execute(query).scalars().first()

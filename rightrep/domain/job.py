"""Jobs: work that outlives its request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from rightrep.domain.ids import TenantId

FIRST_BACKOFF = timedelta(seconds=5)
LONGEST_BACKOFF = timedelta(hours=1)
_DOUBLINGS = 30  # more than it takes from the first to the longest


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job as its caller sees it.

    Attributes:
        job_id: Our id.
        kind: What is to be done: "plan", "train".
        args: What it was asked with; JSON.
        state: Where it stands.
        run_at: When it may start; moved by a retry.
        attempts: How often a worker started it.
        max_attempts: How often one may.
        progress: Share done, in [0, 1].
        message: What it is doing, or None.
        result: What it answered; JSON, or None.
        error: Why the last attempt failed, in a sentence, or None.
        created_at: When it was asked for.
        started_at: When a worker last started it, or None.
        finished_at: When it was done, failed for good or cancelled, or None.
    """

    job_id: str
    kind: str
    args: Mapping[str, Any]
    state: JobState
    run_at: datetime
    attempts: int
    max_attempts: int
    progress: float
    message: str | None
    result: Any
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """A worker's right to do a job, until it ends or is extended.

    Attributes:
        tenant_id: Whose job.
        job_id: The job.
        kind: What is to be done.
        args: What it was asked with; JSON.
        worker: Who may do it.
        attempt: Which start this is, from 1; a later one ends this lease.
    """

    tenant_id: TenantId
    job_id: str
    kind: str
    args: Mapping[str, Any]
    worker: str
    attempt: int


def backoff(attempt: int) -> timedelta:
    """How long to wait after a failed attempt: doubles from 5 s, an hour at most.

    Args:
        attempt: Attempts so far; positive.
    """
    factor: int = 2 ** min(attempt - 1, _DOUBLINGS)
    return min(FIRST_BACKOFF * factor, LONGEST_BACKOFF)

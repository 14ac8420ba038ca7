"""Jobs: how far is what was asked for?"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from rightrep.domain.job import Job, JobState
from rightrep.domain.roles import Role
from rightrep.errors import NotFound
from rightrep.store import jobs
from rightrep.store.session import WriteSession
from serving.dependencies import Reading, Writing, allow
from serving.errors import may_raise

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


class JobOut(BaseModel):
    """A job as of now."""

    job_id: str
    kind: str = Field(examples=["plan"])
    state: JobState
    progress: float = Field(description="Share done, in [0, 1].")
    message: str | None = Field(description="What it is doing.")
    result: Any = Field(description="What it answered, once done.")
    error: str | None = Field(description="Why the last attempt failed.")
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> "JobOut":
        """As callers see it."""
        return cls(
            job_id=job.job_id,
            kind=job.kind,
            state=job.state,
            progress=job.progress,
            message=job.message,
            result=job.result,
            error=job.error,
            created_at=job.created_at,
            finished_at=job.finished_at,
        )


def queued(
    session: WriteSession,
    call: Writing,
    kind: str,
    args: Mapping[str, Any] | None = None,
    *,
    open_key: str | None = None,
) -> JobOut:
    """Ask for a job, and tell of it; an open one with this key is the answer."""
    at = call.clock.now()
    made = jobs.enqueue(session, kind, args or {}, at=at, open_key=open_key)
    return JobOut.of(jobs.read_job(session, made.job_id))


@router.get(
    "/{job_id}",
    responses=may_raise(NotFound),
    dependencies=[Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST))],
)
def get_job(job_id: str, session: Reading) -> JobOut:
    """One job; ask again until its state is done, failed or cancelled."""
    return JobOut.of(jobs.read_job(session, job_id))

"""Every error RightRep raises on purpose.

RightRepError
├── InvalidInput        the request can be read but makes no sense
├── NotFound            the id is well formed and names nothing
├── Conflict            true when asked, no longer true: somebody else was faster
│   ├── AlreadyOwned    the lead has an owner
│   ├── CapacityReached the rep has no slot left
│   ├── NotClaimable    something stands between the rep and the lead
│   ├── KeyReused       same idempotency key or event id, another body
│   ├── KeyInUse        the first request with this idempotency key still runs
│   └── LeaseLost       the job was given to another worker, or cancelled
├── NotSignedIn         no key, or a key that names nobody
├── NotAllowed          the role may not do this
├── TooManyTries        too many sign-ins failed, or too many come at once
├── InfeasiblePlan      capacity, floors and eligibility leave no plan to choose
├── SolverStopped       the solver ran out of time before it had a plan
├── TooFewOutcomes      not enough closed decisions to learn from
├── ModelUnavailable    no champion is published, or its file does not load
├── StoreUnavailable    the database does not answer
└── ProviderUnavailable the OpenID provider does not answer, or not as it should

None of them knows about HTTP; ``serving.errors`` maps each to one status code. The
message is for the person who made the mistake: what is wrong, where, and what to do.
"""

from collections.abc import Sequence


class RightRepError(Exception):
    """Base of every error RightRep raises on purpose."""


class InvalidInput(RightRepError):
    """The request can be read but makes no sense.

    Attributes:
        field: The field at fault, dotted, or None when it is the whole.
        remedy: What to do instead, or None when the message says it.
    """

    def __init__(
        self, message: str, *, field: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(message if remedy is None else f"{message} {remedy}")
        self.field = field
        self.remedy = remedy


class NotFound(RightRepError):
    """The id is well formed and names nothing (or nothing of this tenant).

    Attributes:
        kind: What was looked for: "lead", "rep", "job".
        key: The id as it was given.
    """

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"There is no {kind} {key!r}.")
        self.kind = kind
        self.key = key


class Conflict(RightRepError):
    """True when asked, no longer true: somebody else was faster."""


class AlreadyOwned(Conflict):
    """The lead has an owner.

    Attributes:
        lead_id: The lead.
        owner: The rep who has it.
    """

    def __init__(self, *, lead_id: str, owner: str) -> None:
        super().__init__(f"Lead {lead_id} already belongs to rep {owner}.")
        self.lead_id = lead_id
        self.owner = owner


class CapacityReached(Conflict):
    """The rep has no slot left.

    Attributes:
        rep_id: The rep.
        limit: The limit that was reached: "holding", "intake", "month", "claims", or
            "arm", the slots of the lead's arm.
    """

    def __init__(self, *, rep_id: str, limit: str) -> None:
        super().__init__(f"Rep {rep_id} has reached the {limit} limit.")
        self.rep_id = rep_id
        self.limit = limit


class NotClaimable(Conflict):
    """Something stands between the rep and the lead; nothing was changed.

    Attributes:
        lead_id: The lead.
        obstacle: What it is, in a word.
        until: Until when, RFC 3339; None where time does not help.
    """

    def __init__(
        self, *, lead_id: str, obstacle: str, sentence: str, until: str | None = None
    ) -> None:
        when = "" if until is None else f" It may be claimed from {until} on."
        super().__init__(f"Lead {lead_id} cannot be claimed. {sentence}{when}")
        self.lead_id = lead_id
        self.obstacle = obstacle
        self.until = until


class KeyReused(Conflict):
    """Same idempotency key or event id, another body.

    Attributes:
        key: The key that was used before.
    """

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The key {key!r} was used before with another body. Use a new key for a "
            "new request, or send the same body again."
        )
        self.key = key


class KeyInUse(Conflict):
    """The first request with this idempotency key still runs.

    Attributes:
        key: The key.
        retry_after_seconds: When asking again is worth while.
    """

    def __init__(self, key: str, *, retry_after_seconds: int) -> None:
        super().__init__(
            f"A request with the key {key!r} is still running. Send it again in "
            f"{retry_after_seconds} s to get its answer."
        )
        self.key = key
        self.retry_after_seconds = retry_after_seconds


class LeaseLost(Conflict):
    """The job was given to another worker, or cancelled; nothing may be kept of it.

    Attributes:
        job_id: The job.
    """

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Job {job_id} is no longer this worker's to finish.")
        self.job_id = job_id


class NotSignedIn(RightRepError):
    """No key, or a key that names nobody."""


class NotAllowed(RightRepError):
    """The role may not do this."""


class TooManyTries(RightRepError):
    """Too many sign-ins failed, or too many come at once.

    Attributes:
        retry_after_seconds: When trying again is worth while.
    """

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class InfeasiblePlan(RightRepError):
    """Capacity, floors and eligibility leave no plan to choose.

    Attributes:
        owed: Leads promised by the load floors of ``reps``.
        reachable: Leads those reps can be given at most, together.
        reps: Index of every rep in the colliding set (the min cut), ascending.
        remedies: What would help, one sentence each.
    """

    def __init__(
        self,
        *,
        owed: int,
        reachable: int,
        reps: Sequence[int] = (),
        remedies: Sequence[str] = (),
        reason: str | None = None,
    ) -> None:
        advice = " ".join(remedies) or (
            "Lower a floor, widen eligibility or wait for more leads."
        )
        reason = reason or (
            f"Load floors owe {owed} leads to {len(reps)} reps who can be given "
            f"{reachable} at most."
        )
        super().__init__(f"{reason} {advice}")
        self.owed = owed
        self.reachable = reachable
        self.reps = tuple(reps)
        self.remedies = tuple(remedies)


class SolverStopped(RightRepError):
    """The solver ran out of time before it had a plan."""


class TooFewOutcomes(RightRepError):
    """Not enough closed decisions to learn from.

    Attributes:
        won: Won training rows found.
        lost: Lost training rows found.
        needed: Rows needed of each.
    """

    def __init__(self, *, won: int, lost: int, needed: int) -> None:
        super().__init__(
            f"Training needs {needed} won and {needed} lost decisions whose label "
            f"window has ended; there are {won} won and {lost} lost. Rules and the "
            "fallback policy go on answering until there are more."
        )
        self.won = won
        self.lost = lost
        self.needed = needed


class ModelUnavailable(RightRepError):
    """No champion is published, or its file does not load."""


class StoreUnavailable(RightRepError):
    """The database does not answer."""


class ProviderUnavailable(RightRepError):
    """The OpenID provider does not answer, or not as it should."""

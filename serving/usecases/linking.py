"""Customers found to be one: when a lead arrives, and all of them at once.

An arriving lead is compared with the few customers under its keys; the job compares
everybody. Both weigh with the same weights and settle a pair in the same way.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, repeat
from typing import TYPE_CHECKING, TypeVar

from rightrep.domain.ids import LeadId, TenantId
from rightrep.errors import InvalidInput
from rightrep.intake.identity import (
    MANY,
    MOST_BLOCK,
    Identity,
    blocking_keys,
    shared_keys,
)
from rightrep.intake.linkage import Link, Verdict, Weights, default_weights, link
from rightrep.intake.merge import SAME_ENQUIRY, is_same_enquiry
from rightrep.store.aliases import resolve_lead
from rightrep.store.duplicates import (
    DuplicateState,
    Why,
    count_duplicates,
    duplicates_of,
    known_pairs,
)
from rightrep.store.identities import (
    about_how_many,
    common_keys,
    customers_of_leads,
    customers_to_look_at,
    customers_with_past,
    digests,
    digests_of,
    drop_keys,
    holders,
    read_identities,
    save_keys,
)
from rightrep.store.jobs import Enqueued, enqueue
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import batches
from serving.usecases.context import Context
from serving.usecases.customers import CustomersLeads, enquiries, read_customer
from serving.usecases.duplicates import keyed, settle_customers, settle_leads
from serving.usecases.sticky import Kept, keep_with_owner
from serving.worker import Effect, Task

if TYPE_CHECKING:
    from rightrep.intake.linkage_batch import Batch

LINK = "link"
"""Kind of the job that compares everybody."""

MOST_CANDIDATES = 100
"""Customers that one arriving lead is compared with."""

COUNTS = ("customers", "merged", "waiting", "leads merged", "leads given")
"""What a run tells of itself."""

_READ = 5_000
_PAIRS = 100
"""Pairs settled in one transaction, so that others get to write in between."""
_SETTLED = {Verdict.SURE: Why.SURE, Verdict.LIKELY: Why.LIKELY}

Item = TypeVar("Item")
Report = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a lead that arrived turned out to be.

    Attributes:
        lead_id: The lead.
        is_known_customer: Whether its customer had a lead before.
        duplicate_of: The lead that it was merged into, or None.
        waiting: Pairs that a person is asked about.
        kept: Whether it went to the rep who has the customer; None without one.
    """

    lead_id: LeadId
    is_known_customer: bool = False
    duplicate_of: LeadId | None = None
    waiting: Sequence[str] = ()
    kept: Kept | None = None


def arrive(
    session: WriteSession, lead_ids: Sequence[LeadId], *, at: datetime, actor: str
) -> dict[LeadId, Arrival]:
    """Find out who is behind leads that were just sent, and act on it.

    Args:
        session: The transaction in which they landed.
        lead_ids: The leads.
        at: Now.
        actor: Who sent them.
    """
    customer_of = customers_of_leads(session, lead_ids)
    _link_changed(session, sorted(set(customer_of.values())), at=at, actor=actor)
    # Merges may have changed who stands for whom.
    customer_of = customers_of_leads(session, lead_ids)
    roots = sorted(set(customer_of.values()))
    past = customers_with_past(session, roots)
    asked = _waiting(session, roots)
    return {
        lead_id: _look_at(session, lead_id, at=at, actor=actor)
        if customer_of.get(lead_id) in past
        else Arrival(lead_id, waiting=asked.get(customer_of.get(lead_id, ""), ()))
        for lead_id in lead_ids
    }


def weights_here(session: ReadSession) -> Weights:
    """The product's weights, with the thresholds of as many customers as there are."""
    return default_weights().among(about_how_many(session))


def candidates(session: ReadSession, identity: Identity) -> list[Identity]:
    """Customers who share a key with this one that is not too common."""
    keys = blocking_keys(identity)
    common = common_keys(session, keys, more_than=MOST_BLOCK)
    rare = [key for key in keys if key not in common]
    found = holders(session, rare, most=MOST_CANDIDATES, but=identity.customer_id)
    return list(read_identities(session, found))


def links_of(session: ReadSession, identity: Identity, weights: Weights) -> list[Link]:
    """A customer compared with its candidates: the sure and the likely, surest first.

    What many customers share is taken out of them first.
    """
    others = candidates(session, identity)
    shared = [key for one in (identity, *others) for key in shared_keys(one)]
    common = common_keys(session, shared, more_than=MANY)
    mine = identity.without_common(common)
    found = [link(mine, one.without_common(common), weights) for one in others]
    wanted = [one for one in found if one.verdict is not Verdict.NO]
    return sorted(wanted, key=lambda one: (one.verdict is not Verdict.SURE, -one.bits))


def link_everybody(
    context: Context,
    tenant_id: TenantId,
    *,
    actor: str,
    report: Report = lambda _share, _words: None,
) -> dict[str, int]:
    """Compare all customers; merge, ask, and give leads to customers' owners.

    It writes as it goes, in small transactions: what was settled when it is stopped is
    settled, and the next run goes on.

    Args:
        context: The parts of this process.
        tenant_id: Whose.
        actor: Who asked.
        report: Told how far it is.

    Returns:
        What ``COUNTS`` names; ``waiting`` is all that wait now, whoever found them.

    Raises:
        InvalidInput: The ``dedupe`` extra is not installed.
    """
    compare = _batch()
    counts: Counter[str] = Counter()
    report(0.0, "comparing customers")
    with compare.of(_read_and_key(context, tenant_id)) as batch:
        counts["customers"] = batch.count
        with context.store.read(tenant_id) as session:
            weights = weights_here(session)
        found = list(batch.links(weights))
    report(0.6, "merging customers")
    with context.store.read(tenant_id) as session:
        asked = known_pairs(session)
    news = [one for one in found if not _is_asked(one, asked)]
    for some in _written(context, tenant_id, news):
        for session, one in some:
            why, at = _SETTLED[one.verdict], context.clock.now()
            made = settle_customers(session, one, why, at=at, actor=actor)
            counts["merged"] += made is not None
    report(0.8, "looking at leads of one customer")
    with context.store.read(tenant_id) as reading:
        several = customers_to_look_at(reading, within=SAME_ENQUIRY)
    for group in _written(context, tenant_id, several):
        for session, customer_id in group:
            at = context.clock.now()
            counts += _tidy(session, customer_id, at=at, actor=actor)
    with context.store.read(tenant_id) as reading:
        counts["waiting"] = count_duplicates(reading, DuplicateState.WAITING)
    return {name: counts[name] for name in COUNTS}


def ask_to_link(session: WriteSession, *, at: datetime) -> Enqueued:
    """Ask a worker to compare all customers; one run at a time is asked for."""
    return enqueue(session, LINK, {}, at=at, open_key=LINK)


def job(context: Context, task: Task) -> Effect:
    """Compare all customers; what it settles it writes as it goes."""
    counts = link_everybody(
        context, task.tenant_id, actor=task.job_id, report=task.report
    )
    return lambda _session: counts


def _written(
    context: Context, tenant_id: TenantId, items: Sequence[Item]
) -> Iterator[Iterator[tuple[WriteSession, Item]]]:
    """Items in small groups, each with the transaction that it is settled in."""
    for some in batches(items, _PAIRS):
        with context.store.write(tenant_id) as session:
            yield zip(repeat(session), some)


def _read_and_key(context: Context, tenant_id: TenantId) -> Iterator[Identity]:
    """Every customer; keys are brought up to date on the way."""
    with context.store.read(tenant_id) as session:
        known = digests(session)
        told = read_identities(session)
        while some := list(islice(told, _READ)):
            news = {
                one.customer_id: keyed(one)
                for one in some
                if known.pop(one.customer_id, None) != one.digest()
            }
            if news:
                with context.store.write(tenant_id) as writing:
                    save_keys(writing, news)
            yield from some
    with context.store.write(tenant_id) as writing:
        for gone in batches(sorted(known)):
            drop_keys(writing, gone)


def _is_asked(one: Link, asked: AbstractSet[tuple[str, str]]) -> bool:
    """Whether a person is asked about a likely pair already, or was."""
    left, right = sorted((one.left, one.right))
    return one.verdict is Verdict.LIKELY and (left, right) in asked


def _link_changed(
    session: WriteSession, customer_ids: Sequence[str], *, at: datetime, actor: str
) -> None:
    """Compare the customers of whom something is news since they were compared."""
    known = digests_of(session, customer_ids)
    changed = [
        one
        for one in read_identities(session, customer_ids)
        if known.get(one.customer_id) != one.digest()
    ]
    save_keys(session, {one.customer_id: keyed(one) for one in changed})
    weights = weights_here(session)
    for one in changed:
        for found in links_of(session, one, weights):
            why = _SETTLED[found.verdict]
            settle_customers(session, found, why, at=at, actor=actor)


def _look_at(
    session: WriteSession, lead_id: LeadId, *, at: datetime, actor: str
) -> Arrival:
    """One arrived lead, its customer compared: a duplicate, the owner's, or neither."""
    stands = resolve_lead(session, lead_id)
    root = customers_of_leads(session, [stands])[stands]
    customer = read_customer(session, root, at=at)
    if _merge_twins(session, customer, [lead_id], at=at, actor=actor):
        stands = resolve_lead(session, lead_id)
        customer = read_customer(session, root, at=at)
    kept = None
    if stands == lead_id:
        kept = keep_with_owner(session, customer, lead_id, at=at, actor=actor)
    asked = _waiting(session, [root, lead_id])
    return Arrival(
        lead_id,
        is_known_customer=len(customer.leads) + len(customer.tickets) > 1
        or stands != lead_id,
        duplicate_of=None if stands == lead_id else stands,
        waiting=[*asked.get(root, ()), *asked.get(lead_id, ())],
        kept=kept,
    )


def _waiting(session: ReadSession, ids: Sequence[str]) -> dict[str, list[str]]:
    """Pairs that wait for a person, by each record of them."""
    found: dict[str, list[str]] = {}
    for pair in duplicates_of(session, ids):
        if pair.state is DuplicateState.WAITING:
            for own in (pair.left_id, pair.right_id):
                found.setdefault(own, []).append(pair.duplicate_id)
    return found


def _tidy(
    session: WriteSession, customer_id: str, *, at: datetime, actor: str
) -> Counter[str]:
    """All leads of one customer: twins merged, new ones given to the owner."""
    customer = read_customer(session, customer_id, at=at)
    ids = [lead.lead_id for lead in customer.leads]
    merged = _merge_twins(session, customer, ids, at=at, actor=actor)
    if merged:
        customer = read_customer(session, customer_id, at=at)
    kept = [
        keep_with_owner(session, customer, lead.lead_id, at=at, actor=actor)
        for lead in customer.leads
    ]
    given = sum(one is not None and one.given for one in kept)
    return Counter({"leads merged": merged, "leads given": given})


def _merge_twins(
    session: WriteSession,
    customer: CustomersLeads,
    lead_ids: Sequence[LeadId],
    *,
    at: datetime,
    actor: str,
) -> int:
    """Merge leads with the customer's others that are the same enquiry."""
    standing = {LeadId(e.standing.record_id): e for e in enquiries(session, customer)}
    merged = 0
    for lead_id in lead_ids:
        for other in list(standing):
            if other == lead_id or not {lead_id, other} <= standing.keys():
                continue
            one, two = standing[lead_id], standing[other]
            if is_same_enquiry(one, two):
                made = settle_leads(
                    session, one.standing, two.standing, at=at, actor=actor
                )
                if made is not None:
                    del standing[LeadId(made.merged_id)]
                    merged += 1
    return merged


def _batch() -> type["Batch"]:
    """The part that needs the ``dedupe`` extra, imported when it is asked for."""
    try:
        from rightrep.intake.linkage_batch import Batch
    except ImportError as error:
        raise InvalidInput(
            f"Comparing all customers needs {error.name}, which is not installed.",
            remedy="Install the extra: pip install 'rightrep[dedupe]'.",
        ) from error
    return Batch

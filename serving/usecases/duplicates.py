"""Two records that are one: merged, waiting for a person, refused, taken back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rightrep.domain.customer import Customer
from rightrep.domain.ids import CustomerId, LeadId
from rightrep.errors import Conflict
from rightrep.intake.identity import Identity, blocking_keys
from rightrep.intake.linkage import Link, Reason, default_weights, explain
from rightrep.intake.merge import Standing, have_two_owners, survivor
from rightrep.store import duplicates
from rightrep.store.aliases import RecordKind, resolve
from rightrep.store.customers import contacts_of, get_customers
from rightrep.store.duplicates import Duplicate, DuplicateState, Why, found_pair
from rightrep.store.identities import Keyed, drop_keys, read_identities, save_keys
from rightrep.store.leads import get_lead
from rightrep.store.merges import Merge, list_merges, merge, undo_merge
from rightrep.store.ownership import get_owner
from rightrep.store.session import ReadSession, WriteSession
from serving.usecases.customers import read_customer

CUSTOMER, LEAD = RecordKind.CUSTOMER, RecordKind.LEAD


@dataclass(frozen=True, slots=True)
class Asked:
    """A pair as a person sees it.

    Attributes:
        pair: The two records.
        reasons: What speaks for one and what for two, most first.
    """

    pair: Duplicate
    reasons: Sequence[Reason]


def asked(pair: Duplicate) -> Asked:
    """A pair with its reasons in words."""
    if not pair.levels:
        return Asked(pair, ())
    reasons = explain(pair.levels, default_weights())
    return Asked(pair, sorted(reasons, key=lambda reason: -abs(reason.bits)))


@dataclass(frozen=True, slots=True)
class CustomerShown:
    """What a person compares of a customer: all of it personal.

    Attributes:
        customer: Its record.
        contacts: Names of its contacts.
        points: Their phones and e-mail addresses.
    """

    customer: Customer
    contacts: Sequence[str]
    points: Sequence[str]


def shown_customers(session: ReadSession, pair: Duplicate) -> list[CustomerShown]:
    """The two customers of a pair; none for leads, nor where one was erased."""
    if pair.kind is not CUSTOMER:
        return []
    ids = [CustomerId(own) for own in (pair.left_id, pair.right_id)]
    found = {one.customer_id: one for one in get_customers(session, ids)}
    people = contacts_of(session, ids)
    return [
        CustomerShown(
            found[own],
            [one.name for one in people[own] if one.name],
            [point.value for one in people[own] for point in one.points],
        )
        for own in ids
        if own in found
    ]


def merge_customers(
    session: WriteSession,
    one: str,
    other: str,
    *,
    at: datetime,
    actor: str,
    cause: str,
) -> Merge:
    """Make two customers one; the furthest stage stands, then the oldest.

    Raises:
        NotFound: One is not there.
        InvalidInput: They are one already.
    """
    standings = [read_customer(session, own, at=at).standing for own in (one, other)]
    return _merge(session, CUSTOMER, standings, at=at, actor=actor, cause=cause)


def merge_leads(
    session: WriteSession,
    one: str,
    other: str,
    *,
    at: datetime,
    actor: str,
    cause: str,
) -> Merge:
    """Make two leads one; the furthest stage stands, then the oldest.

    Raises:
        NotFound: One is not there.
        InvalidInput: They are one already.
        Conflict: Two reps own them.
    """
    standings = [_lead_standing(session, own, at=at) for own in (one, other)]
    return _merge(session, LEAD, standings, at=at, actor=actor, cause=cause)


def settle_customers(
    session: WriteSession, link: Link, why: Why, *, at: datetime, actor: str
) -> Merge | None:
    """Merge two customers who surely are one, or keep the pair for a person.

    A pair that a person refused is left alone, whatever it was merged with since.

    Args:
        session: Where to write.
        link: What was compared.
        why: Sure, or likely.
        at: Now.
        actor: Who found it.

    Returns:
        The merge, if there was one.
    """
    one, other = (resolve(session, CUSTOMER, own) for own in (link.left, link.right))
    if one == other or is_refused(session, CUSTOMER, one, other):
        return None
    standings = [read_customer(session, own, at=at).standing for own in (one, other)]
    if why is Why.SURE and have_two_owners(*standings):
        why = Why.TWO_OWNERS
    pair = found_pair(
        CUSTOMER,
        one,
        other,
        levels=link.levels,
        bits=link.bits,
        reason=why,
        at=at,
    )
    duplicates.save_duplicates(session, [pair])
    if why is not Why.SURE:
        return None
    cause = f"the same customer: {in_words(link.levels)}"
    made = _merge(session, CUSTOMER, standings, at=at, actor=actor, cause=cause)
    duplicates.mark_merged(
        session, pair.duplicate_id, made.merge_id, at=at, actor=actor
    )
    return made


def settle_leads(
    session: WriteSession, one: Standing, other: Standing, *, at: datetime, actor: str
) -> Merge | None:
    """Merge two leads that are one enquiry, or ask a person where two reps own them."""
    if is_refused(session, LEAD, one.record_id, other.record_id):
        return None
    why = Why.TWO_OWNERS if have_two_owners(one, other) else Why.SURE
    pair = found_pair(LEAD, one.record_id, other.record_id, reason=why, at=at)
    duplicates.save_duplicates(session, [pair])
    if why is not Why.SURE:
        return None
    cause = "the same enquiry of the same person"
    made = _merge(session, LEAD, [one, other], at=at, actor=actor, cause=cause)
    duplicates.mark_merged(
        session, pair.duplicate_id, made.merge_id, at=at, actor=actor
    )
    return made


def accept(
    session: WriteSession, duplicate_id: str, *, at: datetime, actor: str
) -> Merge:
    """A person says that a pair is one: it is merged.

    Raises:
        NotFound: There is no such pair, or a record of it was erased.
        InvalidInput: The two are one already.
        Conflict: The pair does not wait any more, or two reps own its leads.
    """
    pair = duplicates.get_duplicate(session, duplicate_id)
    if pair.state is not DuplicateState.WAITING:
        raise Conflict(f"Duplicate {duplicate_id} was decided before.")
    one = resolve(session, pair.kind, pair.left_id)
    other = resolve(session, pair.kind, pair.right_id)
    combine = merge_customers if pair.kind is CUSTOMER else merge_leads
    made = combine(session, one, other, at=at, actor=actor, cause="a person said so")
    duplicates.mark_merged(session, duplicate_id, made.merge_id, at=at, actor=actor)
    return made


def undo(session: WriteSession, merge_id: str, *, at: datetime, actor: str) -> Merge:
    """Take a merge back; the pair is remembered as two and never asked about again.

    Raises:
        NotFound: There is no such merge.
        Conflict: It was undone before, or its survivor is being merged.
    """
    made = undo_merge(session, merge_id, at=at, actor=actor)
    if made.kind in (CUSTOMER, LEAD):
        pair = found_pair(
            made.kind, made.merged_id, made.survivor_id, reason=Why.LIKELY, at=at
        )
        duplicates.refuse_undone(session, merge_id, pair, at=at, actor=actor)
    if made.kind is CUSTOMER:
        root = resolve(session, CUSTOMER, made.survivor_id)
        rekey(session, [root, made.merged_id])
    return made


def merges_of(session: ReadSession, kind: RecordKind, name: str) -> list[Merge]:
    """Merges that a record gave way in or stood in, undone ones among them.

    Args:
        session: Where to read.
        kind: Customers or leads.
        name: Our id or the CRM's, of a merged record too.

    Raises:
        NotFound: There is no such record.
    """
    found = list_merges(session, kind, name)
    root = resolve(session, kind, name)
    every = {one.merge_id: one for one in (*found, *list_merges(session, kind, root))}
    return sorted(every.values(), key=lambda one: (one.merged_at, one.merge_id))


def is_refused(session: ReadSession, kind: RecordKind, one: str, other: str) -> bool:
    """Whether a person said that two records, or what was merged into them, are two."""
    ours, theirs = members(session, kind, one), members(session, kind, other)
    return any(
        pair.state is DuplicateState.REFUSED
        and (
            (pair.left_id in ours and pair.right_id in theirs)
            or (pair.left_id in theirs and pair.right_id in ours)
        )
        for pair in duplicates.duplicates_of(session, sorted(ours | theirs))
    )


def members(session: ReadSession, kind: RecordKind, root: str) -> set[str]:
    """A record and all that was merged into it."""
    found, new = {root}, [root]
    while new:
        told = [one for own in new for one in list_merges(session, kind, own)]
        stand = {one.merged_id for one in told if one.undone_at is None}
        new = sorted(stand - found)
        found.update(new)
    return found


def rekey(session: WriteSession, customer_ids: Iterable[str]) -> list[Identity]:
    """Set the keys of customers from what is known of them now."""
    wanted = list(dict.fromkeys(customer_ids))
    found = list(read_identities(session, wanted))
    save_keys(session, {one.customer_id: keyed(one) for one in found})
    return found


def keyed(identity: Identity) -> Keyed:
    """A customer's keys, and the hash by which a change of them is seen."""
    return Keyed(identity.digest(), blocking_keys(identity))


def in_words(levels: Sequence[int]) -> str:
    """What speaks for one customer, most first, without anything personal."""
    reasons = explain(levels, default_weights())
    told = sorted(reasons, key=lambda reason: -reason.bits)
    return ", ".join(f"{r.field} {r.words} ({r.bits:+.1f})" for r in told)


def _merge(
    session: WriteSession,
    kind: RecordKind,
    standings: Sequence[Standing],
    *,
    at: datetime,
    actor: str,
    cause: str,
) -> Merge:
    stands, gives_way = survivor(*standings)
    made = merge(
        session,
        kind,
        gives_way.record_id,
        stands.record_id,
        at=at,
        actor=actor,
        cause=cause,
    )
    if kind is CUSTOMER:
        drop_keys(session, [made.merged_id])
        rekey(session, [made.survivor_id])
    return made


def _lead_standing(session: ReadSession, lead_id: str, *, at: datetime) -> Standing:
    lead = get_lead(session, LeadId(lead_id), as_of=at)
    owned = get_owner(session, LeadId(lead_id))
    return Standing(
        record_id=lead_id,
        stage=lead.attributes.stage,
        created_at=lead.created_at,
        owners=frozenset() if owned is None else frozenset({owned.owner}),
    )

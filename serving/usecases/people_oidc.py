"""People who sign in through an OpenID provider: who of ours they are.

Strict and simple: one provider, one tenant. Somebody is let in who was let in through
this provider before, or who was added here with the address that the provider verified,
or whose claims the table of roles names. Nobody else.
"""

import structlog

from rightrep.domain.ids import TenantId
from rightrep.domain.person import Person, sign_in_name
from rightrep.errors import Conflict, InvalidInput, NotAllowed, NotSignedIn
from rightrep.store import people
from rightrep.store.session import WriteSession
from rightrep.store.sign_ins import Trip, end_trip, keep_trip, start_sign_in
from rightrep.store.tries import TryOf, count_try, take_back_try
from serving.oidc import Claims, Provider
from serving.usecases.context import Context
from serving.usecases.people import too_many

NOT_ADDED = "Nobody has added you here. Ask an admin of RightRep to do so."
NOT_VERIFIED = "Your organisation has not verified your e-mail address."
OTHER_ACCOUNT = "Somebody else's account at your organisation is linked to this name."
NO_ROLE = "Your organisation no longer gives you a role here."
LOST = "This sign-in did not begin in this browser, or took too long. Begin again."

log = structlog.get_logger()


def leave(
    context: Context,
    tenant_id: TenantId,
    provider: Provider,
    *,
    path: str,
    back: str,
    address: str,
) -> tuple[Trip, str]:
    """Somebody leaves for the provider.

    Args:
        context: The parts of this process.
        tenant_id: Whose pages they want to see.
        provider: Where they go.
        path: The page that they want to see.
        back: Where the provider sends them afterwards.
        address: Where they are, on the network.

    Returns:
        The trip, and the address to send the browser to.

    Raises:
        TooManyTries: Too many left from there and never came back.
        ProviderUnavailable: The provider does not answer.
    """
    at, trip = context.clock.now(), Trip.to(path)
    with context.store.write(tenant_id) as session:
        until = count_try(session, TryOf.ADDRESS, address, at=at)
        if until is None:
            keep_trip(session, trip, at=at)
    if until is not None:
        raise too_many(until, at)
    return trip, provider.address(trip, back=back)


def come_back(
    context: Context,
    tenant_id: TenantId,
    provider: Provider,
    *,
    state: str,
    code: str,
    back: str,
    address: str,
) -> tuple[str, str]:
    """Somebody comes back from the provider, once.

    Returns:
        The token that the browser keeps, and the page that they wanted to see.

    Raises:
        NotSignedIn: They did not leave from here, or the provider does not confirm
            who they are.
        NotAllowed: They are nobody of ours, or disabled.
        ProviderUnavailable: The provider does not answer.
    """
    at = context.clock.now()
    with context.store.write(tenant_id) as session:
        trip = end_trip(session, state, at=at)
    if trip is None:
        raise NotSignedIn(LOST)
    claims = provider.claims(trip, code, back=back)
    with context.store.write(tenant_id) as session:
        person = _person_of(session, context, claims)
        people.end_first_password(session, person.person_id)
        token = start_sign_in(session, person.person_id, at=at)
        take_back_try(session, TryOf.ADDRESS, address)
    log.info("signed in", person=person.person_id, by="provider")
    return token, trip.path


def _person_of(session: WriteSession, context: Context, claims: Claims) -> Person:
    """Who the claims mean; added or linked on the way where that is allowed.

    Raises:
        NotAllowed: Nobody, or somebody who is disabled.
    """
    person = people.find_subject(session, claims.issuer, claims.subject)
    if person is None:
        person = _newly_met(session, context, claims)
    if person.disabled_at is not None:
        raise NotAllowed(NOT_ADDED)
    if person.from_claims and claims.role is not person.role:
        if claims.role is None:
            raise NotAllowed(NO_ROLE)
        people.set_role(session, person.person_id, claims.role)
    return person


def _newly_met(session: WriteSession, context: Context, claims: Claims) -> Person:
    if claims.email is None:
        raise NotAllowed(NOT_VERIFIED)
    found = people.find_credential(session, _verified_name(claims.email))
    if found is not None:
        person = found.person
    elif claims.role is None:
        raise NotAllowed(NOT_ADDED)
    else:
        person = people.add_person(
            session,
            claims.email,
            role=claims.role,
            at=context.clock.now(),
            display_name=claims.name,
            from_claims=True,
        )
    try:
        people.link_subject(session, person.person_id, claims.issuer, claims.subject)
    except Conflict as error:
        raise NotAllowed(OTHER_ACCOUNT) from error
    return person


def _verified_name(email: str) -> str:
    """The sign-in name that is this address, and not only one that looks like it.

    Names are folded so that every keyboard types them alike; addresses that differ in
    more than the case of plain letters are different mailboxes ("straße" is not
    "strasse").

    Raises:
        NotAllowed: It is only alike, or cannot be a name.
    """
    try:
        name = sign_in_name(email)
    except InvalidInput as error:
        raise NotAllowed(NOT_VERIFIED) from error
    # Bytes know the case of plain letters only.
    if name.encode() != email.encode().lower():
        raise NotAllowed(NOT_VERIFIED)
    return name

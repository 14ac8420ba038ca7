"""Pages of one's own: who am I, another password, and a rep's own leads."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from rightrep.domain.person import Person
from rightrep.errors import (
    Conflict,
    InvalidInput,
    NotAllowed,
    NotSignedIn,
    RightRepError,
    TooManyTries,
)
from rightrep.store import sign_ins
from rightrep.store.tenants import get_tenant
from serving.errors import status_of
from serving.usecases import board_mine, people
from serving.web import signing
from serving.web.page_route import FirstLook, Look, OwnLook, router
from serving.web.spoken import NO_PASSWORD, NOT_REPEATED, NOT_YOURS

OWN_FORM = [Depends(signing.require_own_form)]

Password = Annotated[str, Form(max_length=500)]
FirstLooking = Annotated[FirstLook, Depends()]
OwnLooking = Annotated[OwnLook, Depends()]


@router.get("/me")
def get_me(look: FirstLooking) -> Response:
    """Who is signed in, where, and by what."""
    return _me(look)


@router.post("/me/password", dependencies=OWN_FORM)
def post_password(
    request: Request,
    look: FirstLooking,
    old: Password = "",
    new: Password = "",
    again: Password = "",
) -> Response:
    """Change one's own password; every other sign-in of the person ends."""
    try:
        token = people.change_password(
            look.parts,
            _person(look),
            old,
            _same(new, again),
            address=signing.address_of(request),
        )
    except NotSignedIn:
        return _me(look, NotAllowed(NOT_YOURS))
    except (InvalidInput, Conflict, TooManyTries) as error:
        return _me(look, error)
    response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    signing.remember(request, response, token)
    return response


@router.post("/me/sign-outs", dependencies=OWN_FORM)
def post_sign_outs(look: OwnLooking) -> Response:
    """End every other sign-in of the person."""
    person, present = look.visitor.person, look.visitor.session_id
    if person is None:
        raise NotAllowed(NO_PASSWORD)
    with look.parts.store.write(look.tenant_id) as session:
        for one in sign_ins.list_sign_ins(
            session, at=look.at, person_id=person.person_id
        ):
            if one.session_id != present:
                sign_ins.end_sign_in(session, one.session_id)
    return RedirectResponse("/me", HTTPStatus.SEE_OTHER)


@router.get("/mine")
def get_mine(look: OwnLooking) -> Response:
    """A rep's own leads: what has to be done, and how long they are protected."""
    rep_id = look.visitor.rep_id
    if rep_id is None:
        raise NotAllowed(signing.FOR_REPS)
    shown = board_mine.read_mine(look.parts, look.tenant_id, rep_id, at=look.at)
    return look.show("mine.html", mine=shown, say=look.say(shown.tenant))


def _me(look: Look, error: RightRepError | None = None) -> Response:
    person = look.visitor.person
    with look.parts.store.read(look.tenant_id) as session:
        tenant = get_tenant(session)
        found = person and sign_ins.list_sign_ins(
            session, at=look.at, person_id=person.person_id
        )
    return look.show(
        "me.html",
        status=200 if error is None else status_of(type(error))[0],
        person=person,
        sign_ins=found or [],
        tenant=tenant,
        say=look.say(tenant),
        problem=None if error is None else str(error),
    )


def _person(look: Look) -> Person:
    person = look.visitor.person
    if person is None or not person.has_password:
        raise NotAllowed(NO_PASSWORD)
    return person


def _same(new: str, again: str) -> str:
    if new != again:
        raise InvalidInput(NOT_REPEATED, field="again")
    return new

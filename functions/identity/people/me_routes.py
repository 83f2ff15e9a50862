"""What the person who calls is, and does with its own account."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from almanac.access import Person
from almanac.errors import Unprocessable
from almanac.web.auth import SignedIn
from almanac.web.problems import problem_responses
from identity.people.account import Account
from identity.people.errors import (
    CodeRefused,
    DirectoryUnavailable,
    ManagedElsewhere,
    PasswordRefused,
    PersonChanged,
    SessionNotFound,
    SignInAgain,
    TooManyAttempts,
)
from identity.people.schemas import (
    Me,
    MeUpdate,
    MfaConfirm,
    MfaDisable,
    MfaSetup,
    PasswordChange,
    Session,
    SessionList,
)
from identity.people.wiring import people

router = APIRouter(prefix="/users/me", tags=["people"])

_OF_POOL = (TooManyAttempts, DirectoryUnavailable, ManagedElsewhere, SignInAgain)


@router.get("", response_model=Me)
async def get_me(request: Request, person: SignedIn) -> Me:
    """Show the person who calls."""
    return Me.of(await account_of(request, person).read())


@router.patch("", response_model=Me, responses=problem_responses(PersonChanged, Unprocessable))
async def update_me(request: Request, person: SignedIn, body: MeUpdate) -> Me:
    """Change the name by which others see the person."""
    return Me.of(await account_of(request, person).rename(body.name, body.version))


@router.post("/password", status_code=204, response_model=None, responses=problem_responses(*_OF_POOL, PasswordRefused))
async def change_password(request: Request, person: SignedIn, body: PasswordChange) -> None:
    """Replace the password; the person's other sessions end."""
    await account_of(request, person).change_password(body.current_password, body.new_password)


@router.post("/mfa", response_model=MfaSetup, responses=problem_responses(*_OF_POOL))
async def begin_mfa(request: Request, person: SignedIn) -> MfaSetup:
    """Set an authenticator up; it counts once a code of it is confirmed. The secret is shown only here."""
    return MfaSetup.of(await account_of(request, person).begin_totp())


@router.post("/mfa/confirm", status_code=204, response_model=None, responses=problem_responses(*_OF_POOL, CodeRefused))
async def confirm_mfa(request: Request, person: SignedIn, body: MfaConfirm) -> None:
    """Turn the second factor on with a code of the authenticator."""
    await account_of(request, person).confirm_totp(body.code)


@router.post(
    "/mfa/disable",
    status_code=204,
    response_model=None,
    responses=problem_responses(*_OF_POOL, CodeRefused, PasswordRefused),
)
async def disable_mfa(request: Request, person: SignedIn, body: MfaDisable) -> None:
    """Turn the second factor off; asks for both factors once more."""
    await account_of(request, person).disable_totp(body.password, body.code)


@router.get("/sessions", response_model=SessionList)
async def list_sessions(person: SignedIn) -> SessionList:
    """List where the person is signed in through this service's own user pool."""
    sessions = await people().repository.list_sessions(person.id)
    return SessionList(items=[Session.of(session, person.session_id) for session in sessions])


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(SessionNotFound, TooManyAttempts, DirectoryUnavailable, Unprocessable),
)
async def end_session(person: SignedIn, session_id: Annotated[str, Path(pattern="^[0-9A-Za-z-]{1,64}$")]) -> None:
    """End one session: its tokens stop working within 20 seconds."""
    await people().sessions.end_one(person.id, session_id)


@router.post(
    "/sign-out-everywhere",
    status_code=204,
    response_model=None,
    responses=problem_responses(TooManyAttempts, DirectoryUnavailable),
)
async def sign_out_everywhere(request: Request, person: SignedIn) -> None:
    """End every session of the person, this one too."""
    await account_of(request, person).sign_out_everywhere()


def account_of(request: Request, person: Person) -> Account:
    token = request.headers.get("authorization", "").partition(" ")[2].strip()
    made = people()
    return Account(person, token, made.repository, made.pool, made.sessions)

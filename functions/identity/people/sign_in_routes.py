"""Signing up, in and out. Nobody is signed in yet, so these routes are public."""

from fastapi import APIRouter, Request

from almanac.errors import Unprocessable
from almanac.limits.admission import RateLimited, spend_anonymous
from almanac.web.problems import problem_responses
from identity.people.directory import Challenge
from identity.people.errors import (
    AddressRefused,
    CodeRefused,
    DirectoryUnavailable,
    PasswordNotSet,
    PasswordRefused,
    RefreshRefused,
    SignInFailed,
    SignUpClosed,
    TooManyAttempts,
)
from identity.people.schemas import (
    Accepted,
    AddressOnly,
    MfaRequired,
    PasswordReset,
    Refresh,
    SignedIn,
    SignIn,
    SignInMfa,
    SignUpConfirm,
    SignUpStart,
)
from identity.people.wiring import people

router = APIRouter(prefix="/auth", tags=["sign-in"])

_OF_ALL = (TooManyAttempts, RateLimited, DirectoryUnavailable)
_SENT = Accepted(detail="If this address can use a code, one is on its way.")


@router.post(
    "/sign-up",
    status_code=202,
    response_model=Accepted,
    responses=problem_responses(*_OF_ALL, SignUpClosed, AddressRefused),
)
async def sign_up(request: Request, body: SignUpStart) -> Accepted:
    """Ask for a code by e-mail, with which an address is confirmed. Every address is answered alike."""
    await spend_anonymous(request, email=body.email)
    await people().sign_up.begin(body.email)
    return _SENT


@router.post(
    "/confirm",
    response_model=SignedIn,
    responses=problem_responses(*_OF_ALL, CodeRefused, PasswordNotSet),
)
async def confirm_sign_up(request: Request, body: SignUpConfirm) -> SignedIn:
    """Confirm an address with its code, set name and password, and sign in."""
    await spend_anonymous(request, email=body.email)
    tokens = await people().sign_up.confirm(body.email, body.code, body.password)
    opened = await people().sessions.begin(tokens, _user_agent(request), name=body.name, mfa=False)
    return SignedIn.of(opened)


@router.post(
    "/resend-code",
    status_code=202,
    response_model=Accepted,
    responses=problem_responses(*_OF_ALL, Unprocessable),
)
async def resend_code(request: Request, body: AddressOnly) -> Accepted:
    """Ask for another code to confirm an address with."""
    await spend_anonymous(request, email=body.email)
    await people().pool.resend_code(body.email)
    return _SENT


@router.post(
    "/sign-in",
    response_model=SignedIn | MfaRequired,
    responses=problem_responses(*_OF_ALL, SignInFailed, Unprocessable),
)
async def sign_in(request: Request, body: SignIn) -> SignedIn | MfaRequired:
    """Sign in with address and password; whoever has a second factor is asked for it next."""
    await spend_anonymous(request, email=body.email)
    entered = await people().pool.sign_in(body.email, body.password)
    if isinstance(entered, Challenge):
        return MfaRequired(challenge=entered.text)
    return SignedIn.of(await people().sessions.begin(entered, _user_agent(request), mfa=False))


@router.post(
    "/sign-in/mfa",
    response_model=SignedIn,
    responses=problem_responses(*_OF_ALL, SignInFailed, CodeRefused),
)
async def sign_in_mfa(request: Request, body: SignInMfa) -> SignedIn:
    """Finish signing in with the code of the second factor."""
    await spend_anonymous(request)
    tokens = await people().pool.answer_challenge(body.challenge, body.code)
    return SignedIn.of(await people().sessions.begin(tokens, _user_agent(request), mfa=True))


@router.post(
    "/refresh",
    response_model=SignedIn,
    responses=problem_responses(*_OF_ALL, RefreshRefused, Unprocessable),
)
async def refresh_session(request: Request, body: Refresh) -> SignedIn:
    """Get a new access token and the next refresh token. A token that was used before ends its session."""
    await spend_anonymous(request)
    return SignedIn.of(await people().sessions.go_on(body.refresh_token))


@router.post(
    "/sign-out",
    status_code=204,
    response_model=None,
    responses=problem_responses(*_OF_ALL, Unprocessable),
)
async def sign_out(request: Request, body: Refresh) -> None:
    """End the session of a refresh token: its access tokens stop working too. What is no token ends nothing."""
    await spend_anonymous(request)
    await people().sessions.end_by_token(body.refresh_token)


@router.post(
    "/forgot-password",
    status_code=202,
    response_model=Accepted,
    responses=problem_responses(*_OF_ALL, Unprocessable),
)
async def forgot_password(request: Request, body: AddressOnly) -> Accepted:
    """Ask for a code by e-mail, with which the password can be reset. Every address is answered alike."""
    await spend_anonymous(request, email=body.email)
    await people().pool.send_reset_code(body.email)
    return _SENT


@router.post(
    "/reset-password",
    status_code=204,
    response_model=None,
    responses=problem_responses(*_OF_ALL, CodeRefused, PasswordRefused),
)
async def reset_password(request: Request, body: PasswordReset) -> None:
    """Set a new password with the code that was sent; every session of the person ends."""
    await spend_anonymous(request, email=body.email)
    person_id = await people().pool.reset_password(body.email, body.code, body.password)
    await people().sessions.end_all(person_id)


def _user_agent(request: Request) -> str:
    return request.headers.get("user-agent", "")

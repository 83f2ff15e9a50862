"""The user pool: what Amazon Cognito does for us, in our words.

Its answers never reach a caller as they are, and no error here tells whether it knows an address: a lockout of one
account neither, since only an account can be locked (who asks too often is refused before). The app client has a
secret, so that nobody signs up or in past this function (docs/decisions/sign-in-goes-through-our-own-routes.md).
"""

import base64
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from almanac.aws.clients import Clients, error_code
from almanac.ids import person_id
from almanac.observability import log
from identity.people import refusals
from identity.people.errors import AddressRefused, DirectoryUnavailable, PasswordRefused, SignInFailed
from identity.people.refusals import Refused

_TOTP = "SOFTWARE_TOKEN_MFA"


@dataclass(frozen=True)
class Tokens:
    """What the pool gives who signs in. The refresh token never leaves the stack."""

    person_id: str
    session_id: str
    access_token: str = field(repr=False)
    expires_in: int
    email: str = field(default="", repr=False)
    subject: str = ""
    refresh_token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Challenge:
    """The password was right, and the person has a second factor. `text` is for whoever answers with its code."""

    text: str = field(repr=False)


class Directory:
    """One user pool and its one app client."""

    def __init__(self, pool_id: str, client_id: str, issuer: str, clients: Clients) -> None:
        self.issuer = issuer
        self._pool_id = pool_id
        self._client_id = client_id
        self._clients = clients
        self._secret = b""

    async def sign_up(self, email: str) -> None:
        """Have a code sent to a new address, or another one to an address that is not confirmed yet."""
        try:
            await self._call(
                "sign_up",
                ClientId=self._client_id,
                SecretHash=await self._hash(email),
                Username=email,
                Password=await self._first_password(email),
            )
        except Refused as refused:
            match refused.code:
                case "UsernameExistsException":
                    await self.resend_code(email)
                case "InvalidParameterException":
                    raise AddressRefused("The address is none that mail can be sent to.", field="body.email") from None
                case "CodeDeliveryFailureException" | "LimitExceededException":
                    log("error", "no mail was sent", operation="sign_up", code=refused.code)
                case _:
                    raise refusals.unforeseen(refused) from None

    async def resend_code(self, email: str) -> None:
        """Have another code sent, if the address waits for one. Whether it does is told to nobody."""
        await self._quietly("resend_confirmation_code", email)

    async def confirm(self, email: str, code: str, password: str) -> Tokens:
        """Confirm an address and set its first password; signs in. Raises `CodeRefused`, `SignInFailed`.

        The holder of the mailbox chooses the password, and not whoever asked for the code: until then the password is
        one that only this function can tell.
        """
        try:
            await self._call(
                "confirm_sign_up",
                ClientId=self._client_id,
                SecretHash=await self._hash(email),
                Username=email,
                ConfirmationCode=code,
            )
        except Refused as refused:
            raise refusals.wrong_code(refused) from None
        first = await self._first_password(email)
        tokens = await self.sign_in(email, first)
        if isinstance(tokens, Challenge):
            raise SignInFailed("The address was confirmed before.")
        await self.change_password(tokens.access_token, first, password)
        return tokens

    async def sign_in(self, email: str, password: str) -> Tokens | Challenge:
        """Check a password; raises `SignInFailed`."""
        try:
            answer = await self._call(
                "initiate_auth",
                ClientId=self._client_id,
                AuthFlow="USER_PASSWORD_AUTH",
                AuthParameters={"USERNAME": email, "PASSWORD": password, "SECRET_HASH": await self._hash(email)},
            )
        except Refused as refused:
            raise refusals.failed(refused) from None
        challenge = answer.get("ChallengeName")
        if challenge == _TOTP:
            # The pool asks for the name under which it knows the person, and its answer may lack it.
            name = answer.get("ChallengeParameters", {}).get("USER_ID_FOR_SRP") or email
            return Challenge(_pack(name, answer["Session"]))
        if challenge:
            log("warning", "sign-in asks for what we do not do", challenge=challenge)
            raise SignInFailed("Set a password first: ask for a code to reset it.")
        return self._tokens(answer)

    async def answer_challenge(self, challenge: str, code: str) -> Tokens:
        """Finish signing in with the code of a second factor; raises `CodeRefused` and `SignInFailed`."""
        name, session = _unpack(challenge)
        responses = {"USERNAME": name, f"{_TOTP}_CODE": code, "SECRET_HASH": await self._hash(name)}
        try:
            answer = await self._call(
                "respond_to_auth_challenge",
                ClientId=self._client_id,
                ChallengeName=_TOTP,
                Session=session,
                ChallengeResponses=responses,
            )
        except Refused as refused:
            wrong = refused.code in refusals.WRONG_CODE
            raise (refusals.wrong_code(refused) if wrong else refusals.failed(refused)) from None
        if "AuthenticationResult" not in answer:
            raise SignInFailed("Begin again with address and password.")
        return self._tokens(answer)

    async def refresh(self, refresh_token: str, subject: str) -> Tokens:
        """Return a new access token; raises `SignInAgain` when the pool has ended the session."""
        parameters = {"REFRESH_TOKEN": refresh_token, "SECRET_HASH": await self._hash(subject)}
        try:
            answer = await self._call(
                "initiate_auth",
                ClientId=self._client_id,
                AuthFlow="REFRESH_TOKEN_AUTH",
                AuthParameters=parameters,
            )
        except Refused as refused:
            raise refusals.again(refused) from None
        return self._tokens(answer)

    async def revoke(self, refresh_token: str) -> None:
        """End a session in the pool, its access tokens included."""
        try:
            await self._call(
                "revoke_token",
                ClientId=self._client_id,
                ClientSecret=(await self._client_secret()).decode(),
                Token=refresh_token,
            )
        except Refused as refused:
            # Our own record of the session has ended it already, and nobody else knows the token.
            log("warning", "a token was not revoked", code=refused.code)

    async def send_reset_code(self, email: str) -> None:
        """Have a code sent with which a password can be reset, if there is such a person."""
        await self._quietly("forgot_password", email)

    async def reset_password(self, email: str, code: str, password: str) -> str:
        """Set a password by a code that was sent; returns the person's id. Raises `CodeRefused`, `PasswordRefused`."""
        try:
            await self._call(
                "confirm_forgot_password",
                ClientId=self._client_id,
                SecretHash=await self._hash(email),
                Username=email,
                ConfirmationCode=code,
                Password=password,
            )
            found = await self._call("admin_get_user", UserPoolId=self._pool_id, Username=email)
        except Refused as refused:
            if refusals.is_password(refused):
                raise refusals.bad_password("body.password") from None
            raise refusals.wrong_code(refused) from None
        attributes = {attribute["Name"]: attribute.get("Value", "") for attribute in found["UserAttributes"]}
        return person_id(self.issuer, attributes.get("sub") or found["Username"])

    async def change_password(self, access_token: str, current: str, new: str) -> None:
        """Replace a password; raises `PasswordRefused` naming which, or `SignInAgain`."""
        try:
            await self._call(
                "change_password", own=True, AccessToken=access_token, PreviousPassword=current, ProposedPassword=new
            )
        except Refused as refused:
            if refusals.is_password(refused):
                raise refusals.bad_password("body.new_password") from None
            refusals.check_token(refused)
            if refused.code not in refusals.UNKNOWN | {"InvalidParameterException"}:
                raise refusals.unforeseen(refused) from None
            text = "The current password is another one."
            raise PasswordRefused(text, field="body.current_password") from None

    async def begin_totp(self, access_token: str) -> str:
        """Return a new secret for an authenticator; it counts once `confirm_totp` has seen a code of it."""
        try:
            answer = await self._call("associate_software_token", own=True, AccessToken=access_token)
        except Refused as refused:
            raise refusals.again(refused) from None
        return str(answer["SecretCode"])

    async def confirm_totp(self, access_token: str, code: str) -> None:
        """Turn the second factor on; raises `CodeRefused`."""
        try:
            await self._call("verify_software_token", own=True, AccessToken=access_token, UserCode=code)
        except Refused as refused:
            refusals.check_token(refused)
            raise refusals.wrong_code(refused) from None
        await self._set_totp(access_token, enabled=True)

    async def disable_totp(self, access_token: str) -> None:
        """Turn the second factor off."""
        await self._set_totp(access_token, enabled=False)

    async def sign_out_everywhere(self, access_token: str) -> None:
        """End all the person's sessions in the pool; one that has ended already is none."""
        try:
            await self._call("global_sign_out", own=True, AccessToken=access_token)
        except Refused as refused:
            log("warning", "the pool did not sign out everywhere", code=refused.code)

    async def delete_user(self, access_token: str) -> None:
        """Remove the person from the pool, for good; one that is gone already is none."""
        try:
            await self._call("delete_user", own=True, AccessToken=access_token)
        except Refused as refused:
            if refused.code not in refusals.UNKNOWN:
                raise refusals.unforeseen(refused) from None

    async def _set_totp(self, access_token: str, *, enabled: bool) -> None:
        settings = {"Enabled": enabled, "PreferredMfa": enabled}
        try:
            await self._call(
                "set_user_mfa_preference", own=True, AccessToken=access_token, SoftwareTokenMfaSettings=settings
            )
        except Refused as refused:
            raise refusals.again(refused) from None

    async def _quietly(self, operation: str, email: str) -> None:
        """Make a call that ends alike for every address; what only known addresses can cause is not told."""
        try:
            await self._call(operation, ClientId=self._client_id, SecretHash=await self._hash(email), Username=email)
        except Refused as refused:
            if refused.code not in refusals.UNKNOWN | {"InvalidParameterException"}:
                log("error", "no mail was sent", operation=operation, code=refused.code)

    async def _call(self, operation: str, *, own: bool = False, **parameters: Any) -> dict[str, Any]:
        """Call the pool; raises `Refused`. Only who is signed in (`own`) is told that its account is locked."""
        from botocore.exceptions import BotoCoreError, ClientError

        client = await self._clients.get("cognito-idp")
        try:
            answer: dict[str, Any] = await getattr(client, operation)(**parameters)
        except ClientError as error:
            message = str(error.response["Error"].get("Message", ""))
            raise refusals.judge(error_code(error), message, own=own) from None
        except BotoCoreError as error:
            log("error", "the user pool did not answer", operation=operation, error=type(error).__name__)
            raise DirectoryUnavailable("The directory of people does not answer: try again.") from None
        return answer

    def _tokens(self, answer: dict[str, Any]) -> Tokens:
        result = answer["AuthenticationResult"]
        # The pool itself handed these over: nothing to verify.
        access, identity = claims(result["AccessToken"]), claims(result.get("IdToken", ""))
        verified = str(identity.get("email_verified", "")).lower() == "true"
        return Tokens(
            person_id=person_id(self.issuer, access["sub"]),
            session_id=str(access.get("origin_jti") or access["jti"]),
            access_token=result["AccessToken"],
            expires_in=int(result["ExpiresIn"]),
            email=str(identity.get("email", "")).lower() if verified else "",
            subject=access["sub"],
            refresh_token=result.get("RefreshToken", ""),
        )

    async def _client_secret(self) -> bytes:
        if not self._secret:
            found = await self._call("describe_user_pool_client", UserPoolId=self._pool_id, ClientId=self._client_id)
            self._secret = found["UserPoolClient"]["ClientSecret"].encode()
        return self._secret

    async def _hash(self, username: str) -> str:
        """Prove that the call is ours: HMAC-SHA256 of name and client id under the client's secret, in base64."""
        message = f"{username}{self._client_id}".encode()
        return base64.b64encode(hmac.digest(await self._client_secret(), message, "sha256")).decode()

    async def _first_password(self, email: str) -> str:
        """Return the password of an address until it is confirmed: always the same, and known to nobody else."""
        secret = hmac.digest(await self._client_secret(), f"first password\n{email}".encode(), "sha256")
        return f"Aa1-{secret.hex()}"


def claims(token: str) -> dict[str, Any]:
    """Return what a JSON Web Token says that somebody else has verified; {} for what is none."""
    parts = token.split(".")
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _pack(name: str, session: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([name, session]).encode()).decode().rstrip("=")


def _unpack(challenge: str) -> tuple[str, str]:
    try:
        name, session = json.loads(base64.urlsafe_b64decode(challenge + "=" * (-len(challenge) % 4)))
    except (ValueError, TypeError):
        name = session = None
    # The pool takes no shorter session.
    if not isinstance(name, str) or not isinstance(session, str) or not name or len(session) < 20:
        raise SignInFailed("Begin again with address and password.")
    return name, session

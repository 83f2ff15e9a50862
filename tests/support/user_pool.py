"""The template's user pool on moto, and what Cognito does that moto 5.2 does not.

- `RevokeToken` and `ResendConfirmationCode` are not there at all.
- Confirming a sign-up verifies no address.
- A refresh is asked for the hash of the name that signed in; Cognito asks for that of the person's `sub`.
- Any code is right. Tests that need a wrong one let the pool refuse with `refusing`.
- An address that it does not know is told by an error of its own, whatever the client's `PreventUserExistenceErrors`;
  by one that says that there is no client, where a password is reset.
"""

import asyncio
import base64
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from aiobotocore.client import AioBaseClient
from botocore.exceptions import ClientError

from infra.template import Template, resources

_POOL = {
    "AccountRecoverySetting",
    "AutoVerifiedAttributes",
    "MfaConfiguration",
    "Policies",
    "UsernameAttributes",
    "VerificationMessageTemplate",
}
_REGION = "us-east-1"


def create_pool(cognito: Any, template: Template) -> dict[str, str]:
    """Make the template's pool and client; returns what functions are told about them."""
    ((_, pool),) = resources(template, "AWS::Cognito::UserPool").items()
    ((_, client),) = resources(template, "AWS::Cognito::UserPoolClient").items()
    made = cognito.create_user_pool(PoolName="almanac", **{name: pool[name] for name in _POOL})
    pool_id = made["UserPool"]["Id"]
    given = {name: value for name, value in client.items() if name != "UserPoolId"}
    client_id = cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="almanac", **given)["UserPoolClient"]
    return {
        "ALMANAC_USER_POOL_ID": pool_id,
        "ALMANAC_USER_POOL_CLIENT_ID": client_id["ClientId"],
        "ALMANAC_USER_POOL_ISSUER": f"https://cognito-idp.{_REGION}.amazonaws.com/{pool_id}",
        "ALMANAC_SIGN_UP": "open",
    }


class _Gaps:
    """Stands before the store for calls to the pool."""

    def __init__(self, cognito: Any, pool_id: str) -> None:
        self._cognito = cognito
        self._pool_id = pool_id
        self._names: dict[str, str] = {}
        self._revoked: set[str] = set()
        self._secrets: dict[str, str] = {}

    async def call(self, original: Any, client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "RevokeToken":
            self._revoked.add(parameters["Token"])
            return {}
        if operation == "ResendConfirmationCode":
            return {}
        given = parameters.get("AuthParameters", {})
        if token := given.get("REFRESH_TOKEN"):
            if token in self._revoked:
                raise _error("NotAuthorizedException", operation)
            names = self._names.get(token, ""), parameters["ClientId"]
            proof = await asyncio.get_running_loop().run_in_executor(None, self._hash, *names)
            given = {**given, "SECRET_HASH": proof}
            parameters = {**parameters, "AuthParameters": given}
        try:
            answer = await original(client, operation, parameters)
        except ClientError as error:
            if operation == "ConfirmForgotPassword" and error.response["Error"]["Code"] == "ResourceNotFoundException":
                raise _error("CodeMismatchException", operation) from None
            raise
        if operation == "ConfirmSignUp":
            # In a thread, which is no function's: what the store lacks is done under nobody's role.
            await asyncio.get_running_loop().run_in_executor(None, self._verify, parameters["Username"])
        if refresh := answer.get("AuthenticationResult", {}).get("RefreshToken"):
            self._names[refresh] = given.get("USERNAME") or parameters["ChallengeResponses"]["USERNAME"]
        return answer

    def _verify(self, name: str) -> None:
        verified = [{"Name": "email_verified", "Value": "true"}]
        self._cognito.admin_update_user_attributes(UserPoolId=self._pool_id, Username=name, UserAttributes=verified)

    def _hash(self, name: str, client_id: str) -> str:
        if client_id not in self._secrets:
            found = self._cognito.describe_user_pool_client(UserPoolId=self._pool_id, ClientId=client_id)
            self._secrets[client_id] = found["UserPoolClient"]["ClientSecret"]
        digest = hmac.digest(self._secrets[client_id].encode(), f"{name}{client_id}".encode(), "sha256")
        return base64.b64encode(digest).decode()


@contextmanager
def gaps_filled(cognito: Any, pool_id: str) -> Iterator[None]:
    """Do what moto lacks until the block ends."""
    gaps = _Gaps(cognito, pool_id)
    original = AioBaseClient._make_api_call  # type: ignore[attr-defined]

    async def call(client: Any, operation: str, parameters: Any) -> Any:
        if client.meta.service_model.service_name != "cognito-idp":
            return await original(client, operation, parameters)
        return await gaps.call(original, client, operation, parameters)

    with mock.patch.object(AioBaseClient, "_make_api_call", call):
        yield


@contextmanager
def refusing(operation: str, code: str, message: str = "") -> Iterator[list[dict[str, Any]]]:
    """Let the pool refuse an operation (`InitiateAuth`) until the block ends; yields what it was asked."""
    asked: list[dict[str, Any]] = []
    original = AioBaseClient._make_api_call  # type: ignore[attr-defined]

    async def call(client: Any, name: str, parameters: Any) -> Any:
        if name == operation:
            asked.append(parameters)
            raise _error(code, operation, message)
        return await original(client, name, parameters)

    with mock.patch.object(AioBaseClient, "_make_api_call", call):
        yield asked


def _error(code: str, operation: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)

"""What the table says of whoever presents a token: which key it is, or which person in which tenant.

Reads are strongly consistent: a key works as soon as it was created and not after it was revoked, a session not after
it was ended. Every read goes by primary key, so a key that does not exist costs the same as one with a wrong secret:
one read of one item that is not there.
"""

from collections.abc import Mapping
from typing import Any

from almanac.access import ROLES, Caller, Person, Principal, Role, read
from almanac.aws import keys
from almanac.clock import iso
from almanac.ids import is_id, person_id
from identity.tokens import api_keys
from identity.tokens.claims import Identity
from identity.tokens.errors import TokenRefused

USED_SECONDS = 300
"""A key's last use is written at most this often."""

_ATTEMPTS = 3
_MOST_NOTED = 10_000
_UNNOTED = "attribute_exists(pk) AND (attribute_not_exists(last_used_at) OR last_used_at <= :before)"

Item = Mapping[str, Any]


class StoreBusy(Exception):
    """DynamoDB did not answer for every item: no verdict, since what is missing may be what refuses."""


class Callers:
    """Reads callers with a boto3 client: one execution environment answers one call at a time."""

    def __init__(self, table: str, client: Any) -> None:
        self._table = table
        self._client = client
        self._noted: dict[str, float] = {}

    def of_key(self, token: str, tenant: str | None, now: float) -> Caller:
        """Return the caller with this API key; raises `TokenRefused`. `tenant` is what the call names, if anything."""
        claim = api_keys.parse(token)
        if claim is None:
            raise TokenRefused("malformed_key")
        if tenant not in (None, claim.tenant_id):
            raise TokenRefused("other_tenant")
        key = keys.api_key(claim.tenant_id, claim.sha256)
        item = self._client.get_item(TableName=self._table, Key=_typed(key), ConsistentRead=True).get("Item")
        if item is None:
            raise TokenRefused("no_such_key")
        if _text(item, "ends_at") and _text(item, "ends_at") <= iso(now):
            raise TokenRefused("expired_key")
        if "disabled" in item:
            raise TokenRefused("disabled")
        self._note_use(key, item, now)
        key_id = _text(item, "id")
        actor_id = _text(item, "service_account_id") or key_id
        return Caller(principal=Principal(claim.tenant_id, actor_id, read(_text(item, "scopes")), key_id=key_id))

    def of_person(self, identity: Identity, tenant: str | None) -> Caller:
        """Return the person, as the principal of the tenant that it chose; raises `TokenRefused`.

        The tenant is the one that the token is bound to, else the one that the call names, else the person's only one.
        Whoever chose none, or one that it does not belong to, is a caller without principal.
        """
        person = person_id(identity.issuer, identity.subject)
        chosen = identity.tenant_id or tenant
        wanted = [keys.person(person)]
        if identity.session_id:
            wanted.append(keys.person_session(person, identity.session_id))
        if chosen and is_id(chosen, "ten"):
            wanted.append(keys.person_tenant(person, chosen))
        found = self._read(wanted)
        record = found.get(keys.ITEM, {})
        if _number(record, "valid_after") > identity.issued_at:
            raise TokenRefused("signed_out_everywhere")
        if "ended_at" in found.get(keys.person_session(person, identity.session_id).sk, {}):
            raise TokenRefused("signed_out")
        who = Person(person, identity.email or _text(record, "email"), identity.session_id)
        if chosen is None:
            return Caller(who, _principal(who, self._only_tenant(person)))
        if tenant not in (None, chosen):
            return Caller(who)
        return Caller(who, _principal(who, found.get(keys.person_tenant(person, chosen).sk)))

    def _only_tenant(self, person: str) -> Item | None:
        """Return the membership of a person who has one; the partition's other items are not read."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :person AND begins_with(sk, :tenants)",
            ExpressionAttributeValues={
                ":person": {"S": keys.person(person).pk},
                ":tenants": {"S": keys.person_tenants()},
            },
            ConsistentRead=True,
            Limit=2,
        )
        items: list[Item] = answer["Items"]
        return items[0] if len(items) == 1 else None

    def _read(self, wanted: list[keys.Key]) -> dict[str, Item]:
        """Return those of a partition's items that exist, by their sort keys."""
        found: dict[str, Item] = {}
        request: Any = {self._table: {"Keys": [_typed(key) for key in wanted], "ConsistentRead": True}}
        for _ in range(_ATTEMPTS):
            answer = self._client.batch_get_item(RequestItems=request)
            found |= {item["sk"]["S"]: item for item in answer["Responses"].get(self._table, [])}
            request = answer.get("UnprocessedKeys")
            if not request:
                return found
        raise StoreBusy

    def _note_use(self, key: keys.Key, item: Item, now: float) -> None:
        """Write when the key was used, unless that was written lately. The call does not depend on it."""
        before = iso(now - USED_SECONDS)
        if _text(item, "last_used_at") > before or self._noted.get(key.pk, 0) > now - USED_SECONDS:
            return
        if len(self._noted) >= _MOST_NOTED:
            self._noted.clear()
        self._noted[key.pk] = now
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_typed(key),
                UpdateExpression="SET last_used_at = :now",
                ConditionExpression=_UNNOTED,
                ExpressionAttributeValues={":now": {"S": iso(now)}, ":before": {"S": before}},
            )
        except Exception:  # noqa: BLE001 - another environment wrote it, the key is being changed, or the store is busy
            return


def _principal(person: Person, membership: Item | None) -> Principal | None:
    """Return what the person is in the tenant of this membership."""
    if membership is None:
        return None
    role = Role(_text(membership, "role"))
    tenant_id = _text(membership, "tenant_id")
    return Principal(tenant_id, person.id, ROLES[role], role=role, session_id=person.session_id or None)


def _typed(key: keys.Key) -> dict[str, dict[str, str]]:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def _text(item: Item, name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def _number(item: Item, name: str) -> int:
    return int(item.get(name, {}).get("N", 0))

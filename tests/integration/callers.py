"""Who calls the slices in tests: a tenant by its key, and somebody by name."""

from dataclasses import dataclass
from typing import Any, ClassVar

from almanac.access import GRANTABLE, Caller, Principal
from almanac.aws.keys import Key
from almanac.aws.table import plain
from tests.integration.harness import Answer, Stack


@dataclass
class Keyed:
    """A tenant whose key may do everything, unless a call says whose it is. `SLICE` is called if none is named."""

    SLICE: ClassVar[str]

    stack: Stack
    tenant: str

    @property
    def principal(self) -> Principal:
        """Return whom `call` calls as."""
        return Principal(self.tenant, "key_test", GRANTABLE, key_id="key_test")

    def call(self, method: str, path: str, body: Any = None, *, slice_name: str = "", **more: Any) -> Answer:
        name = slice_name or self.SLICE
        return self.stack.call(name, method, f"/api/v1{path}", body, tenant=self.tenant, **more)

    def made(self, path: str, body: Any, **more: Any) -> dict[str, Any]:
        """Create something; returns it."""
        answer = self.call("POST", path, body, **more)
        assert answer.status == 201, answer.text
        created: dict[str, Any] = answer.json
        return created

    def project(self, name: str = "Payments", **more: Any) -> str:
        return str(self.made("/projects", {"name": name, **more}, slice_name="projects")["id"])

    def item(self, key: Key) -> dict[str, Any] | None:
        answer = self.stack.client("dynamodb").get_item(
            TableName="almanac", Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}}
        )
        return plain(answer["Item"]) if "Item" in answer else None


@dataclass(frozen=True)
class Somebody:
    """A person in a tenant, who calls the slices as itself; or a service account's key."""

    SLICE: ClassVar[str]

    stack: Stack
    tenant: str
    id: str
    caller: Caller

    def call(self, method: str, path: str, body: Any = None, *, slice_name: str = "", **more: Any) -> Answer:
        name = slice_name or self.SLICE
        return self.stack.call(name, method, f"/api/v1{path}", body, caller=self.caller, **more)

    def made(self, path: str, body: Any, **more: Any) -> str:
        """Create something; returns its id."""
        answer = self.call("POST", path, body, **more)
        assert answer.status == 201, answer.text
        return str(answer.json["id"])

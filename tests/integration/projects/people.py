"""Members of a tenant, who call the slices as themselves."""

from typing import Any

from almanac.access import Caller, Principal, Role
from almanac.aws import keys
from almanac.aws.table import dynamo
from almanac.ids import new_id
from tests.integration.callers import Somebody
from tests.integration.harness import Answer, Stack, person


class Colleague(Somebody):
    """Somebody who keeps projects."""

    SLICE = "projects"

    def private_project(self, name: str = "Secret") -> str:
        return self.made("/projects", {"name": name, "visibility": "private"})

    def checkpoint(self, project: str) -> str:
        return self.made("/checkpoints", {"project_id": project, "name": "Review"})

    def message(self, checkpoint: str, content: str = "elephants never forget") -> str:
        return self.made("/messages", {"checkpoint_id": checkpoint, "content": content})

    def lets_in(self, project: str, other: "Colleague") -> Answer:
        return self.call("PUT", f"/projects/{project}/members/{other.id}")

    def takes_out(self, project: str, other: "Colleague") -> Answer:
        return self.call("DELETE", f"/projects/{project}/members/{other.id}")

    def sees(self, project: str) -> bool:
        return self.call("GET", f"/projects/{project}").status == 200


def colleague(stack: Stack, tenant: str, role: Role = Role.MEMBER) -> Colleague:
    """Return somebody new in the tenant."""
    person_id = new_id("usr")
    item = {**keys.member(tenant, person_id).as_dict(), "entity": "member", "person_id": person_id, "role": role}
    stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(item))
    return Colleague(stack, tenant, person_id, person(tenant, role, person_id))


def machine(stack: Stack, tenant: str, actor_id: str, permissions: frozenset[Any]) -> Colleague:
    """Return the caller that a key stands for."""
    principal = Principal(tenant, actor_id, permissions, key_id=new_id("key"))
    return Colleague(stack, tenant, actor_id, Caller(principal=principal))

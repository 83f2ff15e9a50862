"""Roles: the table in the documentation is the code's, and what one role may do about another."""

from itertools import product
from pathlib import Path

import pytest

from almanac.access import MEANINGS, ROLES, Permission, Principal, Role
from almanac.ids import new_id
from identity.tenants.errors import RoleAboveOwn
from identity.tenants.standing import may_decide, must_decide, still

DOCUMENT = Path(__file__).parents[3] / "docs" / "identity.md"


def principal(role: Role) -> Principal:
    return Principal(new_id("ten"), new_id("usr"), ROLES[role], role=role)


def permissions_table() -> str:
    lines = [f"| allows to | {' | '.join(Role)} |", f"|---|{'---|' * len(Role)}"]
    for permission in Permission:
        cells = ("yes" if permission in ROLES[role] else "" for role in Role)
        lines.append(f"| {MEANINGS[permission]} (`{permission}`) | {' | '.join(cells)} |")
    return "\n".join(lines)


def decisions_table() -> str:
    deciding = [role for role in Role if Permission.MEMBERS_MANAGE in ROLES[role]]
    lines = [f"| | {' | '.join(Role)} |", f"|---|{'---|' * len(Role)}"]
    for own in deciding:
        cells = ("yes" if may_decide(principal(own), role) else "" for role in Role)
        lines.append(f"| {own} | {' | '.join(cells)} |")
    return "\n".join(lines)


@pytest.mark.parametrize("table", [permissions_table, decisions_table])
def test_the_document_shows_the_codes_table(table: object) -> None:
    assert callable(table)
    text = table()
    assert text in DOCUMENT.read_text(), f"docs/identity.md should hold:\n{text}"


def test_deciding_about_a_role_takes_every_permission_of_it() -> None:
    for own, role in product(Role, Role):
        assert may_decide(principal(own), role) is all(p in ROLES[own] for p in ROLES[role])


def test_a_refusal_names_the_permission_that_is_missing() -> None:
    with pytest.raises(RoleAboveOwn, match="audit:read") as refused:
        must_decide(principal(Role.ADMIN), Role.AUDITOR, field="body.role")
    assert refused.value.field == "body.role"


def test_a_key_has_no_standing_to_look_at_and_nobody_is_looked_at_twice_in_one_transaction() -> None:
    admin = principal(Role.ADMIN)
    key = Principal(admin.tenant_id, new_id("key"), ROLES[Role.ADMIN], key_id=new_id("key"))
    assert still(key) == []
    assert still(admin, admin.actor_id) == []
    assert len(still(admin, new_id("usr"))) == 1

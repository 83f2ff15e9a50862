"""What every route expects of its caller, written down by hand: the walk compares it with what the routes answer.

`python -m tests.integration.access_table` writes docs/access.md again.
"""

from pathlib import Path

from almanac.access import MEANINGS, ROLES, Permission, Role, read

PUBLIC, PERSON = "public", "person"
DOCUMENT = Path(__file__).parents[2] / "docs" / "access.md"

# Route -> the permissions that it needs, or who may call it without one; and what an allowed call with ids of nothing
# is answered.
ENTRIES: dict[str, tuple[str, int]] = {
    "GET /docs": (PUBLIC, 200),
    "GET /docs/assets/{file}": (PUBLIC, 200),
    "GET /health": (PUBLIC, 200),
    "GET /openapi.json": (PUBLIC, 200),
    "GET /redoc": (PUBLIC, 200),
    "DELETE /api/v1/api-keys/{key_id}": ("keys:manage", 404),
    "DELETE /api/v1/exports/{export_id}": ("tenant:export", 404),
    "DELETE /api/v1/invitations/{invitation_id}": ("members:manage", 404),
    "DELETE /api/v1/members/{person_id}": ("members:manage", 404),
    "DELETE /api/v1/provider-keys/{provider}": ("secrets:manage", 404),
    "DELETE /api/v1/service-accounts/{service_account_id}": ("keys:manage", 404),
    "DELETE /api/v1/users/me/sessions/{session_id}": (PERSON, 404),
    "GET /api/v1/api-keys": ("keys:manage", 200),
    "GET /api/v1/api-keys/{key_id}": ("keys:manage", 404),
    "GET /api/v1/audit": ("audit:read", 200),
    "GET /api/v1/audit/export": ("audit:read", 200),
    "GET /api/v1/audit/verify": ("audit:read", 200),
    "GET /api/v1/erasures": (PERSON, 200),
    "GET /api/v1/erasures/{erasure_id}": (PERSON, 404),
    "GET /api/v1/exports": ("tenant:export", 200),
    "GET /api/v1/exports/{export_id}": ("tenant:export", 404),
    "GET /api/v1/imports/{import_id}": ("tenant:own", 404),
    "GET /api/v1/invitations": ("members:manage", 200),
    "GET /api/v1/members": ("members:read", 200),
    "GET /api/v1/members/{person_id}": ("members:read", 404),
    "GET /api/v1/provider-keys": ("secrets:manage", 200),
    "GET /api/v1/service-accounts": ("keys:manage", 200),
    "GET /api/v1/service-accounts/{service_account_id}": ("keys:manage", 404),
    "GET /api/v1/tenants": (PERSON, 200),
    "GET /api/v1/tenants/me": ("tenant:read", 200),
    "GET /api/v1/tenants/me/usage": ("tenant:read", 200),
    "GET /api/v1/users/me": (PERSON, 200),
    "GET /api/v1/users/me/sessions": (PERSON, 200),
    "PATCH /api/v1/api-keys/{key_id}": ("keys:manage", 404),
    "PATCH /api/v1/members/{person_id}": ("members:manage", 404),
    "PATCH /api/v1/service-accounts/{service_account_id}": ("keys:manage", 404),
    "PATCH /api/v1/tenants/me": ("tenant:manage", 200),
    "PATCH /api/v1/users/me": (PERSON, 200),
    "POST /api/v1/api-keys": ("content:read keys:manage", 404),
    "POST /api/v1/api-keys/{key_id}/rotate": ("keys:manage", 404),
    "POST /api/v1/auth/confirm": (PUBLIC, 422),
    "POST /api/v1/auth/forgot-password": (PUBLIC, 202),
    "POST /api/v1/auth/refresh": (PUBLIC, 401),
    "POST /api/v1/auth/resend-code": (PUBLIC, 202),
    "POST /api/v1/auth/reset-password": (PUBLIC, 422),
    "POST /api/v1/auth/sign-in": (PUBLIC, 401),
    "POST /api/v1/auth/sign-in/mfa": (PUBLIC, 401),
    "POST /api/v1/auth/sign-out": (PUBLIC, 204),
    "POST /api/v1/auth/sign-up": (PUBLIC, 202),
    "POST /api/v1/erasures": ("tenant:own", 202),
    "POST /api/v1/exports": ("tenant:export", 202),
    "POST /api/v1/imports": ("tenant:own", 201),
    "POST /api/v1/imports/{import_id}/start": ("tenant:own", 404),
    "POST /api/v1/invitations": ("content:read content:write tenant:read members:read members:manage", 201),
    "POST /api/v1/invitations/accept": (PERSON, 404),
    "POST /api/v1/invitations/{invitation_id}/resend": ("members:manage", 404),
    "POST /api/v1/members/me/leave": ("tenant:read", 204),
    "POST /api/v1/service-accounts": ("keys:manage", 201),
    "POST /api/v1/tenants": (PERSON, 201),
    "POST /api/v1/tenants/me/transfer": ("tenant:own", 404),
    "POST /api/v1/tenants/me/usage/recount": ("tenant:manage", 200),
    "POST /api/v1/users/me/erasure": (PERSON, 202),
    "POST /api/v1/users/me/mfa": (PERSON, 409),
    "POST /api/v1/users/me/mfa/confirm": (PERSON, 409),
    "POST /api/v1/users/me/mfa/disable": (PERSON, 409),
    "POST /api/v1/users/me/password": (PERSON, 409),
    "POST /api/v1/users/me/sign-out-everywhere": (PERSON, 204),
    "PUT /api/v1/provider-keys/{provider}": ("secrets:manage", 200),
    "DELETE /api/v1/checkpoints/{checkpoint_id}": ("content:write", 404),
    "DELETE /api/v1/messages/{message_id}": ("content:write", 404),
    "DELETE /api/v1/projects/{project_id}": ("content:write", 404),
    "DELETE /api/v1/projects/{project_id}/members/{actor_id}": ("content:write", 404),
    "DELETE /api/v1/projects/{project_id}/repositories/{repository_id}": ("content:write", 404),
    "GET /api/v1/checkpoints": ("content:read", 404),
    "GET /api/v1/checkpoints/{checkpoint_id}": ("content:read", 404),
    "GET /api/v1/messages": ("content:read", 404),
    "GET /api/v1/messages/{message_id}": ("content:read", 404),
    "GET /api/v1/events": ("content:read", 404),
    "POST /api/v1/realtime/tickets": ("content:read", 201),
    "GET /api/v1/projects": ("content:read", 200),
    "GET /api/v1/projects/{project_id}": ("content:read", 404),
    "GET /api/v1/projects/{project_id}/commitments": ("content:read", 404),
    "GET /api/v1/projects/{project_id}/members": ("content:read", 404),
    "GET /api/v1/projects/{project_id}/members/{actor_id}": ("content:read", 404),
    "GET /api/v1/projects/{project_id}/repositories": ("content:read", 404),
    "GET /api/v1/projects/{project_id}/repositories/{repository_id}": ("content:read", 404),
    "PATCH /api/v1/checkpoints/{checkpoint_id}": ("content:write", 404),
    "PATCH /api/v1/messages/{message_id}": ("content:write", 404),
    "PATCH /api/v1/projects/{project_id}": ("content:write", 404),
    "PATCH /api/v1/projects/{project_id}/repositories/{repository_id}": ("content:write", 404),
    "POST /api/v1/checkpoints": ("content:write", 404),
    "POST /api/v1/messages": ("content:write", 404),
    "POST /api/v1/projects": ("content:write", 201),
    "POST /api/v1/projects/{project_id}/repositories": ("content:write", 404),
    "POST /api/v1/projects/{project_id}/repositories/{repository_id}/sync": ("content:write", 404),
    "POST /api/v1/projects/{project_id}/repositories/{repository_id}/webhook-secret": ("content:write", 404),
    "PUT /api/v1/projects/{project_id}/members/{actor_id}": ("content:write", 404),
    "DELETE /api/v1/collections/{collection_id}": ("content:write", 404),
    "DELETE /api/v1/collections/{collection_id}/members/{actor_id}": ("content:write", 404),
    "DELETE /api/v1/documents/{document_id}": ("content:write", 404),
    "GET /api/v1/collections": ("content:read", 404),
    "GET /api/v1/collections/{collection_id}": ("content:read", 404),
    "GET /api/v1/collections/{collection_id}/members": ("content:read", 404),
    "GET /api/v1/collections/{collection_id}/members/{actor_id}": ("content:read", 404),
    "GET /api/v1/documents": ("content:read", 404),
    "GET /api/v1/documents/counts": ("content:read", 404),
    "GET /api/v1/documents/suggestions": ("content:read", 200),
    "GET /api/v1/documents/{document_id}/receipt": ("content:read", 404),
    "PATCH /api/v1/collections/{collection_id}": ("content:write", 404),
    "POST /api/v1/collections": ("content:write", 404),
    "PUT /api/v1/collections/{collection_id}/members/{actor_id}": ("content:write", 404),
    "DELETE /api/v1/documents/{document_id}/upload": ("content:write", 404),
    "GET /api/v1/documents/{document_id}": ("content:read", 404),
    "GET /api/v1/documents/{document_id}/analysis": ("content:read", 404),
    "GET /api/v1/documents/{document_id}/diff": ("content:read", 404),
    "GET /api/v1/documents/{document_id}/download": ("content:read", 404),
    "GET /api/v1/documents/{document_id}/text": ("content:read", 404),
    "GET /api/v1/documents/{document_id}/versions": ("content:read", 404),
    "GET /api/v1/documents/{document_id}/versions/{version}": ("content:read", 404),
    "PATCH /api/v1/documents/{document_id}": ("content:write", 404),
    "POST /api/v1/documents": ("content:write", 404),
    "POST /api/v1/documents/content": ("content:write", 404),
    "POST /api/v1/documents/{document_id}/cancel": ("content:write", 404),
    "POST /api/v1/documents/{document_id}/reprocess": ("content:write", 404),
    "POST /api/v1/documents/{document_id}/upload/complete": ("content:write", 404),
    "POST /api/v1/documents/{document_id}/versions": ("content:write", 404),
    "PUT /api/v1/documents/{document_id}/content": ("content:write", 404),
    "DELETE /api/v1/conversations/{conversation_id}": ("content:write", 404),
    "DELETE /api/v1/search/indexes/{index_id}": ("index:manage", 404),
    "GET /api/v1/conversations": ("content:read", 200),
    "GET /api/v1/conversations/{conversation_id}": ("content:read", 404),
    "GET /api/v1/search": ("content:read", 200),
    "GET /api/v1/search/index": ("content:read", 200),
    "GET /api/v1/search/indexes": ("content:read", 200),
    "GET /api/v1/search/indexes/{index_id}": ("content:read", 404),
    "GET /api/v1/search/quality": ("content:read", 200),
    "GET /api/v1/secret-findings": ("secrets:manage", 200),
    "GET /api/v1/secret-findings/{finding_id}": ("secrets:manage", 404),
    "GET /api/v1/secret-findings/{finding_id}/purge": ("secrets:manage", 404),
    "PATCH /api/v1/secret-findings/{finding_id}": ("secrets:manage", 404),
    "POST /api/v1/ask": ("content:read content:write", 404),
    "POST /api/v1/conversations": ("content:write", 201),
    "POST /api/v1/search": ("content:read", 200),
    "POST /api/v1/search/index/compact": ("index:manage", 202),
    "POST /api/v1/search/indexes": ("index:manage", 202),
    "POST /api/v1/search/indexes/{index_id}/activate": ("index:manage", 404),
    "POST /api/v1/search/verify": ("index:manage", 200),
    "POST /api/v1/secret-findings/{finding_id}/purge": ("secrets:manage", 404),
    "POST /api/v1/webhooks/github/{tenant_id}/{repository_id}": (PUBLIC, 403),
    "POST /api/v1/webhooks/gitlab/{tenant_id}/{repository_id}": (PUBLIC, 403),
}
# What a route answers some of those differently whom it lets in: an owner, or a key.
EXCEPTIONS: dict[str, dict[str, int]] = {
    # The last owner of a tenant does not leave it; a key is no member.
    "POST /api/v1/members/me/leave": {"owner": 409, "key": 403},
    "POST /api/v1/users/me/erasure": {"owner": 409},
}

_HEAD = """# Who may call what

Written by `python -m tests.integration.access_table`. `tests/integration/test_access_walk.py` calls every route as
every caller and compares each cell; a route without an entry fails the build.

## Roles

A key's scopes are these permissions by name; no key has `tenant:own`.

""".splitlines()

_ROUTES = """
## Routes

The status of a complete call that names ids of nothing, so that a 404 is an allowed call. *Other tenant*: the same call
with ids of somebody else's resources answers the same, byte for byte. *Expired*: tokens and keys that are expired,
revoked or forged do not get past the authorizer: the gateway answers 403. *No tenant*: a person who chose none.

""".splitlines()


def expected(route: str, permissions: frozenset[Permission] | None, who: str) -> int:
    """Return the status of a call. `permissions` is None for a caller without credentials.

    `who` is `person` for one who chose no tenant, the role of one who did, or `key`.
    """
    need, status = ENTRIES[route]
    if need == PUBLIC:
        return status
    if permissions is None:
        return 401
    if (who == "key") if need == PERSON else (who == "person" or not read(need) <= permissions):
        return 403
    return EXCEPTIONS.get(route, {}).get(who, status)


def document() -> str:
    """Return docs/access.md."""
    roles = list(Role)
    lines = [
        *_HEAD,
        f"| permission | allows to | {' | '.join(roles)} |",
        f"|---|---|{'---|' * len(roles)}",
    ]
    for permission in Permission:
        cells = ("yes" if permission in ROLES[role] else "" for role in roles)
        lines.append(f"| `{permission}` | {MEANINGS[permission]} | {' | '.join(cells)} |")
    columns = ["anonymous", "expired", "no tenant", *roles, "key with it", "key with all others", "other tenant"]
    lines += [*_ROUTES, f"| route | needs | {' | '.join(columns)} |", f"|---|---|{'---|' * len(columns)}"]
    for route, (need, status) in sorted(ENTRIES.items(), key=lambda entry: (entry[0].split(" ")[1], entry[0])):
        lines.append(f"| `{route}` | {_cells(route, need, status, roles)} |")
    return "\n".join(lines) + "\n"


def _cells(route: str, need: str, status: int, roles: list[Role]) -> str:
    every = frozenset(Permission)
    own = every if need in {PUBLIC, PERSON} else read(need)
    cells = [
        need if need in {PUBLIC, PERSON} else f"`{need}`",
        expected(route, None, "nobody"),
        status if need == PUBLIC else 403,
        expected(route, frozenset(), "person"),
        *(expected(route, ROLES[role], role) for role in roles),
        expected(route, own, "key"),
        expected(route, every - own, "key"),
        status,
    ]
    return " | ".join(map(str, cells))


if __name__ == "__main__":
    DOCUMENT.write_text(document())

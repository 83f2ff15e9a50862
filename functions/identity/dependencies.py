"""Who may call what: markers of this slice's own."""

from typing import Annotated

from almanac.access import Permission, Principal
from almanac.web.auth import needs

TenantReader = Annotated[Principal, needs(Permission.TENANT_READ)]
TenantManager = Annotated[Principal, needs(Permission.TENANT_MANAGE)]
TenantOwner = Annotated[Principal, needs(Permission.TENANT_OWN)]
MemberReader = Annotated[Principal, needs(Permission.MEMBERS_READ)]
MemberManager = Annotated[Principal, needs(Permission.MEMBERS_MANAGE)]
TenantExporter = Annotated[Principal, needs(Permission.TENANT_EXPORT)]
KeyManager = Annotated[Principal, needs(Permission.KEYS_MANAGE)]
SecretsManager = Annotated[Principal, needs(Permission.SECRETS_MANAGE)]

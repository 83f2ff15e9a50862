"""Who may call what: markers of this slice's own."""

from typing import Annotated

from almanac.access import Permission, Principal
from almanac.web.auth import needs

TenantReader = Annotated[Principal, needs(Permission.TENANT_READ)]
KeyManager = Annotated[Principal, needs(Permission.KEYS_MANAGE)]

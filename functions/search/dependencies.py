"""Who may call what: markers of this slice's own."""

from typing import Annotated

from almanac.access import Permission, Principal
from almanac.web.auth import needs

IndexManager = Annotated[Principal, needs(Permission.INDEX_MANAGE)]
SecretsManager = Annotated[Principal, needs(Permission.SECRETS_MANAGE)]

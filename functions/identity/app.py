"""API entry: people, tenants and API keys."""

from almanac.web.app import create_app, include, lambda_handler
from identity.accounts import routes as accounts
from identity.audit import routes as audit
from identity.erasure import routes as erasure
from identity.exports import routes as exports
from identity.imports import routes as imports
from identity.keys import routes as keys
from identity.people import me_routes as me
from identity.people import sign_in_routes as sign_in
from identity.secrets import routes as provider_keys
from identity.tenants import invitation_routes as invitations
from identity.tenants import member_routes as members
from identity.tenants import routes as tenants
from identity.usage import routes as usage

app = create_app("Identity", "People, tenants and their API keys.")
OF_PEOPLE = (sign_in, me, erasure)
OF_TENANTS = (tenants, members, invitations, keys, accounts, provider_keys, usage, audit, exports, imports)
for noun in (*OF_PEOPLE, *OF_TENANTS):
    include(app, noun.router)
handler = lambda_handler(app)

"""API entry: tenants and API keys."""

from almanac.web.app import create_app, include, lambda_handler
from identity.keys import routes as keys
from identity.tenants import invitation_routes as invitations
from identity.tenants import member_routes as members
from identity.tenants import routes as tenants
from identity.usage import routes as usage

app = create_app("Identity", "Tenants and their API keys.")
for router in (tenants.router, members.router, invitations.router, keys.router, usage.router):
    include(app, router)
handler = lambda_handler(app)

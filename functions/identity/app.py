"""API entry: tenants and API keys."""

from almanac.web.app import create_app, include, lambda_handler
from identity.routes import router

app = create_app("Identity", "Tenants and their API keys.")
include(app, router)
handler = lambda_handler(app)

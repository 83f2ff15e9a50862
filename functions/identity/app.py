"""API entry: tenants and API keys."""

from almanac.web.app import API_PREFIX, create_app, lambda_handler
from identity.routes import router

app = create_app("Identity", "Tenants and their API keys.")
app.include_router(router, prefix=API_PREFIX)
handler = lambda_handler(app)

"""API entry of the webhooks slice."""

from almanac.web.app import API_PREFIX, create_app, lambda_handler
from webhooks.routes import router

app = create_app("Almanac webhooks", "Deliveries of the hosts of connected repositories.")
app.include_router(router, prefix=API_PREFIX)
handler = lambda_handler(app)

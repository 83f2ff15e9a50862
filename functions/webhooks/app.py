"""API entry of the webhooks slice."""

from almanac.web.app import create_app, include, lambda_handler
from webhooks.routes import router

app = create_app("Almanac webhooks", "Deliveries of the hosts of connected repositories.")
include(app, router)
handler = lambda_handler(app)

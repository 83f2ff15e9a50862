"""API entry of the realtime slice."""

from almanac.web.app import create_app, include, lambda_handler
from realtime.routes import router

app = create_app("Almanac realtime", "News as it happens: tickets for the WebSocket API, and events by polling.")
include(app, router)
handler = lambda_handler(app)

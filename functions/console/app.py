"""API entry: documentation and health."""

from almanac.web.app import create_app, include, lambda_handler
from console.routes import router

app = create_app("Console", "The API's documentation and health.")
include(app, router, prefix="")
handler = lambda_handler(app)

"""API entry: documentation and health."""

from almanac.web.app import create_app, lambda_handler
from console.routes import router

app = create_app("Console", "The API's documentation and health.")
app.include_router(router)
handler = lambda_handler(app)

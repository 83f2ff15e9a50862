"""API entry of the projects slice."""

from almanac.web.app import API_PREFIX, create_app, lambda_handler
from projects.routes import checkpoints, messages, projects, repositories

app = create_app("Almanac projects", "Projects and what is in them: repositories, checkpoints and messages.")
for noun in (projects, repositories, checkpoints, messages):
    app.include_router(noun.router, prefix=API_PREFIX)
handler = lambda_handler(app)

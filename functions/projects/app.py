"""API entry of the projects slice."""

from almanac.web.app import create_app, include, lambda_handler
from projects.routes import checkpoints, members, messages, projects, repositories

app = create_app("Almanac projects", "Projects and what is in them: repositories, checkpoints and messages.")
for noun in (projects, members, repositories, checkpoints, messages):
    include(app, noun.router)
handler = lambda_handler(app)

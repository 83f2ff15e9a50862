"""API entry of the search slice."""

from almanac.web.app import API_PREFIX, create_app, lambda_handler
from search.asking.routes import router as asking
from search.indexes.routes import router as indexes
from search.quality.routes import router as quality
from search.routes import router

app = create_app("Search", "Search code, commits and messages by meaning and by word.")
app.include_router(router, prefix=API_PREFIX)
app.include_router(asking, prefix=API_PREFIX)
app.include_router(indexes, prefix=API_PREFIX)
app.include_router(quality, prefix=API_PREFIX)
handler = lambda_handler(app)

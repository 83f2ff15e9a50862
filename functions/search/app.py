"""API entry of the search slice."""

from almanac.web.app import create_app, include, lambda_handler
from search.asking.routes import router as asking
from search.findings.routes import router as findings
from search.indexes.routes import router as indexes
from search.quality.routes import router as quality
from search.routes import router

app = create_app("Search", "Search code, commits and messages by meaning and by word.")
include(app, router)
include(app, asking)
include(app, indexes)
include(app, quality)
include(app, findings)
handler = lambda_handler(app)

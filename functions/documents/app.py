"""API entry of the documents slice."""

import re

from almanac.web.app import create_app, include, lambda_handler
from documents.routes import analysis, collections, deletions, diff, documents, jobs, listing, uploads

_FILES = re.compile(r"/api/v1/documents/([^/]+/)?content")

app = create_app(
    "Almanac documents", "Files that are read page by page, and the collections they are in.", files=_FILES
)
for noun in (uploads, listing, documents, diff, analysis, jobs, deletions, collections):
    include(app, noun.router)
handler = lambda_handler(app)

"""Members of a tenant who keep documents in collections, and documents that were simply written down."""

from typing import Any

from almanac import runtime
from almanac.access import Role
from almanac.aws import outbox
from almanac.aws.table import Table
from almanac.clock import now
from almanac.events import Event
from almanac.ids import new_id
from documents.model import Document, DocumentState
from documents.store import DocumentStore
from tests.integration.callers import Somebody
from tests.integration.harness import Answer, Stack
from tests.integration.projects.people import colleague


class Someone(Somebody):
    """Somebody who keeps documents in collections."""

    SLICE = "documents"

    def project(self, **more: Any) -> str:
        return self.made("/projects", {"name": "Payments", **more}, slice_name="projects")

    def collection(self, name: str = "Contracts", **more: Any) -> str:
        return self.made("/collections", {"name": name, **more})

    def private(self, name: str = "Secret", **more: Any) -> str:
        return self.collection(name, visibility="private", **more)

    def lets_in(self, collection: str, other: "Someone", right: str = "read") -> Answer:
        return self.call("PUT", f"/collections/{collection}/members/{other.id}", {"right": right})

    def takes_out(self, collection: str, other: "Someone") -> Answer:
        return self.call("DELETE", f"/collections/{collection}/members/{other.id}")

    def change(self, collection: str, **changes: Any) -> Answer:
        version = self.call("GET", f"/collections/{collection}").json["version"]
        return self.call("PATCH", f"/collections/{collection}", {"version": version, **changes})

    def sees(self, collection: str) -> bool:
        return self.call("GET", f"/collections/{collection}").status == 200

    def listed(self, path: str = "/documents", **query: Any) -> list[str]:
        """Return the ids of a whole list, page after page."""
        found: list[str] = []
        while True:
            page = self.call("GET", path, query=query)
            assert page.status == 200, page.text
            found += [item["id"] for item in page.json["items"]]
            if page.json["next_cursor"] is None:
                return found
            query = {**query, "cursor": page.json["next_cursor"]}


def someone(stack: Stack, tenant: str, role: Role = Role.MEMBER) -> Someone:
    """Return somebody new in the tenant."""
    new = colleague(stack, tenant, role)
    return Someone(stack, tenant, new.id, new.caller)


def written(tenant: str, title: str = "Scope", *, project: str = "", collection: str = "", **more: Any) -> str:
    """Write a document down as one that was read; returns its id."""
    at = now()
    document = Document(
        **{
            "id": new_id("doc"),
            "project_id": project,
            "collection_id": collection,
            "filename": f"{title}.pdf",
            "title": title,
            "media_type": "application/pdf",
            "state": DocumentState.READY,
            "created_by": "key_test",
            "created_at": at,
            "updated_at": at,
            **more,
        }
    )
    runtime.run(DocumentStore(Table("almanac", runtime.clients()), tenant).create(document, "test"))
    return document.id


def send(event: Event) -> None:
    """Put a message into the outbox."""
    runtime.run(Table("almanac", runtime.clients()).write(outbox.message(event)))

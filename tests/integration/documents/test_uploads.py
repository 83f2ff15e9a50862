"""Uploads over HTTP, and what arrives of them."""

from tests.integration.documents.world import TEXT, Library, sha256


def test_a_file_is_uploaded_by_form_and_then_read(library: Library) -> None:
    begun = library.begin("Scope of work.md", title="Scope", metadata={"stage": "draft"}, sha256=sha256(TEXT))
    document = begun["document"]
    assert (document["state"], document["version"], document["title"]) == ("awaiting", 0, "Scope")
    assert library.post(begun["upload"], TEXT) == 204
    assert library.arrive() >= 1
    shown = library.show(begun["id"])
    assert (shown["state"], shown["version"], shown["size"], shown["sha256"]) == (
        "processing",
        1,
        len(TEXT),
        sha256(TEXT),
    )
    assert shown["job"]["step"] == "uploaded"
    assert shown["upload"] is None
    (read,) = library.events("document.read")
    assert (read["document_id"], read["revision"]) == (begun["id"], 1)
    assert library.used_bytes() == len(TEXT)

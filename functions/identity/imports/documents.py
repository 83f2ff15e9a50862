"""Rows of documents as an import writes them: nothing is under way, and no file is there before it is."""

from almanac.aws.table import Item

_UNDER_WAY = {"awaiting", "processing"}
_ENDED = "ready"
_CAUSE = {
    "code": "imported",
    "message": "It was being uploaded or read when the archive was written.",
    "way_out": "Read the document again, or upload the file as a further version.",
}


def at_rest(item: Item) -> Item:
    """Return a row as it is to be written; one of another kind as it is.

    What was under way in the exported tenant is so nowhere in this one: it has failed. A version says what its file
    takes when that is there (`files`).
    """
    if item["entity"] not in {"document", "document_version"}:
        return item
    stopped = {"state": "failed", "cause": _CAUSE} if item["state"] in _UNDER_WAY else {}
    if item["entity"] == "document_version":
        absent = {"size": 0, "object_version": ""} if item["revision"] else {}
        return {**item, **stopped, **absent}
    job = item.get("job")
    kept = job if job is not None and job["step"] == _ENDED else None
    return {**item, **stopped, "job": kept, "upload": None, "due_at": None}

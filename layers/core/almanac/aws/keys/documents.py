"""The table's keys of documents, and of what is told about anything as it happens."""

from almanac.aws.keys.key import ITEM, Key


def collection(tenant_id: str, collection_id: str) -> Key:
    """Example: `TENANT#ten_1#COLLECTION#col_1` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#COLLECTION#{collection_id}", ITEM)


def collections(tenant_id: str) -> str:
    """Children partition. Example: `TENANT#ten_1#COLLECTIONS`."""
    return f"TENANT#{tenant_id}#COLLECTIONS"


def document(tenant_id: str, document_id: str) -> Key:
    """Example: `TENANT#ten_1#DOCUMENT#doc_1` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#DOCUMENT#{document_id}", ITEM)


def document_of(pk: str) -> str | None:
    """Return the document in whose partition a row lies; None for one of something else."""
    segments = pk.split("#")
    return segments[3] if len(segments) == 4 and segments[2] == "DOCUMENT" else None


def documents(tenant_id: str) -> str:
    """Children partition. Example: `TENANT#ten_1#DOCUMENTS`."""
    return f"TENANT#{tenant_id}#DOCUMENTS"


def document_version(tenant_id: str, document_id: str, version: int) -> Key:
    """Example: `TENANT#ten_1#DOCUMENT#doc_1` / `VERSION#000001`."""
    return Key(document(tenant_id, document_id).pk, f"{document_versions()}{version:06d}")


def document_versions() -> str:
    """Sort key prefix of a document's versions. Example: `VERSION#`."""
    return "VERSION#"


def document_part(tenant_id: str, document_id: str, revision: int, part: int) -> Key:
    """Example: `TENANT#ten_1#DOCUMENT#doc_1` / `REVISION#000003#PART#000007`."""
    return Key(document(tenant_id, document_id).pk, f"{document_parts(revision)}{part:06d}")


def document_parts(revision: int) -> str:
    """Sort key prefix of the parts of a revision. Example: `REVISION#000003#PART#`."""
    return f"REVISION#{revision:06d}#PART#"


def document_hash(tenant_id: str, project_id: str, collection_id: str, sha256: str) -> Key:
    """Finds a document by its bytes, among those of one project and collection: whoever asks may see them all or none.

    Example: `TENANT#ten_1#DOCUMENTHASHES#prj_1#col_1` / `9f86d0...`.
    """
    return Key(f"TENANT#{tenant_id}#DOCUMENTHASHES#{project_id}#{collection_id}", sha256)


def document_revisions() -> str:
    """Sort key prefix of the parts of all revisions. Example: `REVISION#`."""
    return "REVISION#"


def document_analysis(tenant_id: str, document_id: str) -> Key:
    """Example: `TENANT#ten_1#DOCUMENT#doc_1` / `ANALYSIS`."""
    return Key(document(tenant_id, document_id).pk, "ANALYSIS")


def document_meaning(tenant_id: str, document_id: str) -> Key:
    """Vectors of what a document states. Example: `TENANT#ten_1#DOCUMENT#doc_1` / `MEANING`."""
    return Key(document(tenant_id, document_id).pk, "MEANING")


def document_password(tenant_id: str, document_id: str) -> Key:
    """What opens the file while a job reads it, in an envelope. Example: `TENANT#ten_1#DOCUMENT#doc_1` / `PASSWORD`."""
    return Key(document(tenant_id, document_id).pk, "PASSWORD")


def document_receipt(tenant_id: str, document_id: str) -> Key:
    """What a deletion removed. Example: `TENANT#ten_1#DOCUMENTRECEIPTS` / `doc_1`."""
    return Key(f"TENANT#{tenant_id}#DOCUMENTRECEIPTS", document_id)


def due_documents() -> str:
    """Partition of the `due` index; sorted by when somebody must look at a document's job. Example: `DUE#DOCUMENT`."""
    return "DUE#DOCUMENT"


def topic(tenant_id: str, topic_name: str) -> str:
    """Partition of what happened about something, and who follows it. Example: `TENANT#ten_1#TOPIC#document:doc_1`."""
    return f"TENANT#{tenant_id}#TOPIC#{topic_name}"


def topic_head(tenant_id: str, topic_name: str) -> Key:
    """How many events a topic had. Example: `TENANT#ten_1#TOPIC#document:doc_1` / `HEAD`."""
    return Key(topic(tenant_id, topic_name), "HEAD")


def topic_event(tenant_id: str, topic_name: str, sequence: int) -> Key:
    """Example: `TENANT#ten_1#TOPIC#document:doc_1` / `EVENT#000000000007`."""
    return Key(topic(tenant_id, topic_name), f"{topic_events()}{sequence:012d}")


def topic_events() -> str:
    """Sort key prefix of a topic's events. Example: `EVENT#`."""
    return "EVENT#"


def topic_last(tenant_id: str, topic_name: str, resource_id: str) -> Key:
    """The newest state told of a resource. Example: `TENANT#ten_1#TOPIC#document:doc_1` / `LAST#doc_1`."""
    return Key(topic(tenant_id, topic_name), f"LAST#{resource_id}")


def topic_follower(tenant_id: str, topic_name: str, connection_id: str) -> Key:
    """Example: `TENANT#ten_1#TOPIC#document:doc_1` / `FOLLOWER#L0SM9cOFvHcCIhw=`."""
    return Key(topic(tenant_id, topic_name), f"{topic_followers()}{connection_id}")


def topic_followers() -> str:
    """Sort key prefix of the connections that follow a topic. Example: `FOLLOWER#`."""
    return "FOLLOWER#"


def ticket(tenant_id: str, ticket_sha256: str) -> Key:
    """Opens one connection, once. Example: `TENANT#ten_1#TICKET#9f86d0...` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#TICKET#{ticket_sha256}", ITEM)


def connections(tenant_id: str) -> str:
    """Partition of a tenant's open connections and what they follow. Example: `TENANT#ten_1#CONNECTIONS`."""
    return f"TENANT#{tenant_id}#CONNECTIONS"


def connection(tenant_id: str, connection_id: str) -> Key:
    """Example: `TENANT#ten_1#CONNECTIONS` / `L0SM9cOFvHcCIhw=`."""
    return Key(connections(tenant_id), connection_id)


def connection_owner(connection_id: str) -> Key:
    """Says whose connection it is, before any tenant is known. Example: `CONNECTION#L0SM9cOFvHcCIhw=` / `ITEM`."""
    return Key(f"CONNECTION#{connection_id}", ITEM)

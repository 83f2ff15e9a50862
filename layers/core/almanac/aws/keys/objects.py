"""The keys of the bucket's objects."""

import re

OBJECTS = "tenants/"

_ORIGINAL = re.compile(
    r"tenants/(?P<tenant>ten_\w+)/documents/(?P<document>doc_\w+)/versions/(?P<version>\d{6,9})/original", re.ASCII
)


def documents_prefix(tenant_id: str) -> str:
    """Under it lies every object of a tenant's documents. Example: `tenants/ten_1/documents/`."""
    return f"{tenant_prefix(tenant_id)}documents/"


def document_prefix(tenant_id: str, document_id: str) -> str:
    """Under it lies every object of a document. Example: `tenants/ten_1/documents/doc_1/`."""
    return f"{documents_prefix(tenant_id)}{document_id}/"


def document_original(tenant_id: str, document_id: str, version: int) -> str:
    """The file as it was uploaded; the bucket tells of its arrival by the last segment.

    Example: `tenants/ten_1/documents/doc_1/versions/000001/original`.
    """
    return f"{document_prefix(tenant_id, document_id)}versions/{version:06d}/original"


def arrived_original(key: str) -> tuple[str, str, int] | None:
    """Return the tenant, document and version of what `document_original` names; None for any other key."""
    match = _ORIGINAL.fullmatch(key)
    return (match["tenant"], match["document"], int(match["version"])) if match else None


def document_texts(tenant_id: str, document_id: str) -> str:
    """Under it lie the texts of all revisions. Example: `tenants/ten_1/documents/doc_1/text/`."""
    return f"{document_prefix(tenant_id, document_id)}text/"


def document_text(tenant_id: str, document_id: str, revision: int, part: int) -> str:
    """A part's pages as a `SourceBatch`. Example: `tenants/ten_1/documents/doc_1/text/000003/000007.json.gz`."""
    return f"{document_texts(tenant_id, document_id)}{revision:06d}/{part:06d}.json.gz"


def document_analysis_object(tenant_id: str, document_id: str, revision: int) -> str:
    """Example: `tenants/ten_1/documents/doc_1/analysis/000003.json.gz`."""
    return f"{document_prefix(tenant_id, document_id)}analysis/{revision:06d}.json.gz"


def export_prefix(tenant_id: str, export_id: str) -> str:
    """Under it lies one archive. Example: `tenants/ten_1/exports/exp_1/`."""
    return f"{tenant_prefix(tenant_id)}exports/{export_id}/"


def import_prefix(tenant_id: str, import_id: str) -> str:
    """Under it lies an archive that is to be imported. Example: `tenants/ten_1/imports/imp_1/`."""
    return f"{tenant_prefix(tenant_id)}imports/{import_id}/"


def import_pieces(tenant_id: str, import_id: str) -> str:
    """Under it lie the pieces of files that an import is to put together.

    Example: `tenants/ten_1/imports/imp_1/pieces/`.
    """
    return f"{import_prefix(tenant_id, import_id)}pieces/"


def import_piece(tenant_id: str, import_id: str, document_id: str, version: int, piece: int) -> str:
    """One piece of an uploaded file, numbered from 0.

    Example: `tenants/ten_1/imports/imp_1/pieces/doc_1/000001/000007`.
    """
    return f"{import_pieces(tenant_id, import_id)}{document_id}/{version:06d}/{piece:06d}"


def tenant_prefix(tenant_id: str) -> str:
    """Under it lies every object of a tenant. Example: `tenants/ten_1/`."""
    return f"tenants/{tenant_id}/"


def index_prefix(tenant_id: str, index_id: str) -> str:
    """Under it lie the parts of one index. Example: `tenants/ten_1/index/local-bge-small-en-v1.5/parts/`."""
    return f"tenants/{tenant_id}/index/{index_id}/parts/"


def indexes_prefix(tenant_id: str) -> str:
    """Under it lie the parts of all indexes. Example: `tenants/ten_1/index/`."""
    return f"tenants/{tenant_id}/index/"


def part_object(tenant_id: str, index_id: str, sha256: str) -> str:
    """Example: `tenants/ten_1/index/local-bge-small-en-v1.5/parts/9f86d0...`."""
    return f"{index_prefix(tenant_id, index_id)}{sha256}"


def pack_prefix(tenant_id: str, repository_id: str) -> str:
    """Example: `tenants/ten_1/repositories/rep_1/packs/`."""
    return f"{repository_prefix(tenant_id, repository_id)}packs/"


def repository_prefix(tenant_id: str, repository_id: str) -> str:
    """Example: `tenants/ten_1/repositories/rep_1/`."""
    return f"tenants/{tenant_id}/repositories/{repository_id}/"


def batch_object(tenant_id: str, repository_id: str, run: int, batch: int) -> str:
    """Example: `tenants/ten_1/repositories/rep_1/batches/0000000007/000003.json.gz`."""
    return f"{repository_prefix(tenant_id, repository_id)}batches/{run:010d}/{batch:06d}.json.gz"


def message_prefix(tenant_id: str, message_id: str) -> str:
    """Example: `tenants/ten_1/messages/msg_1/`."""
    return f"tenants/{tenant_id}/messages/{message_id}/"


def message_object(tenant_id: str, message_id: str, version: int, attempt: str) -> str:
    """The message as a `SourceBatch`; `attempt` keeps two writers of one version apart.

    Example: `tenants/ten_1/messages/msg_1/000001-01k9zq3v7m8x2c4b6n0d1f5g7h.json.gz`.
    """
    return f"{message_prefix(tenant_id, message_id)}{version:06d}-{attempt}.json.gz"


def health_prefix() -> str:
    """Under which nothing ever lies, for looking whether the bucket answers. Example: `health/`."""
    return "health/"

"""Which calls leave an entry in the audit log, by operation id. A test refuses a route that this table lacks.

`CHANGE`: something of the tenant is made, changed, deleted or set in motion. `SENSITIVE`: nothing changes, but that it
was read is worth an entry: the log itself, what is kept about secrets, an export. `BY_ROUTE`: the route decides once it
knows what is asked (`almanac.web.recording.begin`). `WITH_CHANGE`: the tenant is known only inside the route, whose
transaction holds the entry too (`almanac.audit.trail.with_change`). `READ` leaves none: reading and searching what one
may see, and whatever else changes nothing. `PERSONAL`: of a person and no tenant, so there is no log to hold it.
"""

from enum import StrEnum


class Kind(StrEnum):
    """What a call is to the audit log."""

    CHANGE = "change"
    SENSITIVE = "sensitive"
    BY_ROUTE = "by route"
    WITH_CHANGE = "with the change"
    READ = "read"
    PERSONAL = "personal"


C, S, B, W, R, P = Kind.CHANGE, Kind.SENSITIVE, Kind.BY_ROUTE, Kind.WITH_CHANGE, Kind.READ, Kind.PERSONAL

# fmt: off
OPERATIONS: dict[str, Kind] = {
    # API keys and service accounts
    "list_api_keys": R, "get_api_key": R, "create_api_key": C, "update_api_key": C, "rotate_api_key": C,
    "delete_api_key": C, "list_service_accounts": R, "get_service_account": R, "create_service_account": C,
    "update_service_account": C, "delete_service_account": C,
    # tenants, members and invitations
    "get_tenant": R, "list_tenants": P, "create_tenant": W, "update_tenant": C, "transfer_tenant": C,
    "list_members": R, "get_member": R, "update_member": C, "remove_member": C, "leave_tenant": C,
    "list_invitations": R, "create_invitation": C, "resend_invitation": C, "revoke_invitation": C,
    "accept_invitation": W,
    # leaving: what is erased is gone with its log, whose last hash the receipt keeps; the receipts are the person's
    "create_erasure": C, "list_erasures": P, "get_erasure": P,
    "create_export": C, "list_exports": R, "get_export": S, "delete_export": C,
    "create_import": C, "get_import": R, "start_import": C,
    # people and their sessions: of no tenant
    "sign_up": P, "confirm_sign_up": P, "resend_code": P, "sign_in": P, "sign_in_mfa": P, "refresh_session": P,
    "sign_out": P, "forgot_password": P, "reset_password": P, "get_me": P, "update_me": P, "change_password": P,
    "begin_mfa": P, "confirm_mfa": P, "disable_mfa": P, "list_sessions": P, "end_session": P,
    "sign_out_everywhere": P, "erase_me": P,
    # the audit log
    "list_audit": S, "export_audit": S, "verify_audit": R,
    # quotas
    "get_usage": R, "recount_usage": C,
    # projects
    "list_projects": R, "get_project": R, "create_project": C, "update_project": C, "delete_project": C,
    "list_project_members": R, "get_project_member": R, "add_project_member": C, "remove_project_member": C,
    # repositories
    "list_repositories": R, "get_repository": R, "create_repository": C, "update_repository": C,
    "delete_repository": C, "sync_repository": C, "rotate_webhook_secret": C,
    # documents
    "create_document": C, "create_document_from_content": C, "get_document": R, "update_document": C,
    "download_document": R, "get_document_text": R, "compare_document_versions": R,
    "get_document_analysis": R, "list_commitments": R,
    "list_document_versions": R, "get_document_version": R,
    "create_document_version": C, "put_document_content": C, "complete_document_upload": C,
    "give_up_document_upload": C, "list_documents": R, "suggest_documents": R, "count_documents": R,
    "delete_document": C, "get_document_receipt": R, "cancel_document": C, "reprocess_document": C,
    # collections
    "list_collections": R, "get_collection": R, "create_collection": C, "update_collection": C,
    "delete_collection": C, "list_collection_members": R, "get_collection_member": R, "set_collection_member": C,
    "remove_collection_member": C,
    # checkpoints and messages
    "list_checkpoints": R, "get_checkpoint": R, "create_checkpoint": C, "update_checkpoint": C,
    "delete_checkpoint": C, "list_messages": R, "get_message": R, "create_message": C, "update_message": C,
    "delete_message": C,
    # search, questions and conversations: a question is kept only in a conversation
    "search": R, "search_by_query": R, "ask": B, "list_conversations": R, "get_conversation": R,
    "create_conversation": C, "delete_conversation": C,
    # secrets in content, keys of providers
    "list_secret_findings": S, "get_secret_finding": S, "update_secret_finding": C, "purge_secret": C,
    "get_secret_purge": S, "list_provider_keys": S, "set_provider_key": C, "delete_provider_key": C,
    # news: a ticket opens a connection on which what one may read is told
    "create_realtime_ticket": R, "list_events": R,
    # the index
    "get_search_index": R, "get_search_quality": R, "verify_search_index": R, "compact_search_index": C,
    "list_indexes": R, "get_index": R, "create_index": C, "delete_index": C, "activate_index": C,
}
# fmt: on

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_recorded(operation: str, method: str) -> bool:
    """Tell whether a call leaves an entry; one that the table lacks does unless its method is safe."""
    kind = OPERATIONS.get(operation)
    if kind is None:
        return method not in _SAFE_METHODS
    return kind in {Kind.CHANGE, Kind.SENSITIVE}

"""The table's keys of tenants, people and projects, and of what all slices share."""

from almanac.aws.keys.key import ITEM, Key

TENANTS = "TENANT#"
CHILDREN_INDEX = "children"
DUE_INDEX = "due"


def tenant_of(partition: str) -> str:
    """Return whose partition it is. Example: `TENANT#ten_1#REPOSITORY#rep_1` is of `ten_1`."""
    return partition.split("#")[1]


def tenant(tenant_id: str) -> Key:
    """Example: `TENANT#ten_1` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}", ITEM)


def limits(tenant_id: str) -> Key:
    """Which calls the tenant and those who act in it have spent. Example: `TENANT#ten_1#LIMITS` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#LIMITS", ITEM)


def usage(tenant_id: str) -> Key:
    """How much of its quotas the tenant uses. Example: `TENANT#ten_1#USAGE` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#USAGE", ITEM)


def caller(caller_sha256: str) -> Key:
    """Which calls came from an address, or about an e-mail. Example: `ADDRESS#9f86d0...` / `ITEM`."""
    return Key(f"ADDRESS#{caller_sha256}", ITEM)


def api_key(tenant_id: str, token_sha256: str) -> Key:
    """Example: `TENANT#ten_1#APIKEY#9f86d0...` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#APIKEY#{token_sha256}", ITEM)


def api_keys(tenant_id: str) -> str:
    """Children partition. Example: `TENANT#ten_1#APIKEYS`."""
    return f"TENANT#{tenant_id}#APIKEYS"


def service_account(tenant_id: str, service_account_id: str) -> Key:
    """Example: `TENANT#ten_1#SERVICEACCOUNT#svc_1` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#SERVICEACCOUNT#{service_account_id}", ITEM)


def service_accounts(tenant_id: str) -> str:
    """Children partition. Example: `TENANT#ten_1#SERVICEACCOUNTS`."""
    return f"TENANT#{tenant_id}#SERVICEACCOUNTS"


def member(tenant_id: str, person_id: str) -> Key:
    """Example: `TENANT#ten_1#MEMBER#usr_1` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#MEMBER#{person_id}", ITEM)


def members(tenant_id: str) -> str:
    """Children partition. Example: `TENANT#ten_1#MEMBERS`."""
    return f"TENANT#{tenant_id}#MEMBERS"


def person(person_id: str) -> Key:
    """A person belongs to no tenant. Example: `PERSON#usr_1` / `ITEM`."""
    return Key(f"PERSON#{person_id}", ITEM)


def person_session(person_id: str, session_id: str) -> Key:
    """Example: `PERSON#usr_1` / `SESSION#01k9zq3v7m8x2c4b6n0d1f5g7h`."""
    return Key(person(person_id).pk, f"{person_sessions()}{session_id}")


def person_sessions() -> str:
    """Sort key prefix of a person's sessions. Example: `SESSION#`."""
    return "SESSION#"


def person_tenant(person_id: str, tenant_id: str) -> Key:
    """The person's role in a tenant, as the authorizer reads it. Example: `PERSON#usr_1` / `TENANT#ten_1`."""
    return Key(person(person_id).pk, f"{person_tenants()}{tenant_id}")


def person_tenants() -> str:
    """Sort key prefix of a person's tenants. Example: `TENANT#`."""
    return "TENANT#"


def persons_founding(person_id: str) -> Key:
    """Counts the tenants that a person has founded. Example: `PERSON#usr_1#FOUNDED` / `ITEM`."""
    return Key(f"{person(person_id).pk}#FOUNDED", ITEM)


def invitation(tenant_id: str, invitation_id: str) -> Key:
    """Example: `TENANT#ten_1#INVITATION#inv_1` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#INVITATION#{invitation_id}", ITEM)


def invitations(tenant_id: str) -> str:
    """Children partition. Example: `TENANT#ten_1#INVITATIONS`."""
    return f"TENANT#{tenant_id}#INVITATIONS"


def invitation_day(tenant_id: str, day: str) -> Key:
    """Counts what a tenant sent on a day. Example: `TENANT#ten_1#INVITATIONS` / `DAY#2026-01-31`."""
    return Key(invitations(tenant_id), f"DAY#{day}")


def invited_address(address_sha256: str) -> str:
    """Partition of the tenants that wait for an address, whoever it belongs to. Example: `INVITED#9f86d0...`."""
    return f"INVITED#{address_sha256}"


def invited(address_sha256: str, inviting_tenant_id: str) -> Key:
    """Guards one pending invitation per tenant and address. Example: `INVITED#9f86d0...` / `ten_1`."""
    return Key(invited_address(address_sha256), inviting_tenant_id)


def invitation_token(token_sha256: str) -> Key:
    """Says whose invitation a token is, before any tenant is read. Example: `INVITED#9f86d0...` / `TOKEN`."""
    return Key(f"INVITED#{token_sha256}", "TOKEN")


def private_projects(tenant_id: str) -> str:
    """Partition of what is private in the tenant, projects and collections, and of who may see it.

    Example: `TENANT#ten_1#PRIVATE`.
    """
    return f"TENANT#{tenant_id}#PRIVATE"


def private_project(tenant_id: str, project_id: str) -> Key:
    """Exists while the project, or the collection of this id, is private. Example: `TENANT#ten_1#PRIVATE` / `prj_1`."""
    return Key(private_projects(tenant_id), project_id)


def project_member(tenant_id: str, project_id: str, actor_id: str) -> Key:
    """Who sees a private project, or the collection of this id. Example: `TENANT#ten_1#PRIVATE` / `prj_1#usr_1`."""
    return Key(private_projects(tenant_id), f"{project_id}#{actor_id}")


def project(tenant_id: str, project_id: str) -> Key:
    """Example: `TENANT#ten_1#PROJECT#prj_1` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#PROJECT#{project_id}", ITEM)


def projects(tenant_id: str) -> str:
    """Children partition. Example: `TENANT#ten_1#PROJECTS`."""
    return f"TENANT#{tenant_id}#PROJECTS"


def repository(tenant_id: str, repository_id: str) -> Key:
    """Example: `TENANT#ten_1#REPOSITORY#rep_1` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#REPOSITORY#{repository_id}", ITEM)


def project_remote(tenant_id: str, project_id: str, remote: str) -> Key:
    """Guards one remote per project. Example: `TENANT#ten_1#PROJECT#prj_1` / `REMOTE#9f86d0...`."""
    return Key(project(tenant_id, project_id).pk, f"REMOTE#{remote}")


def project_checkpoint(tenant_id: str, project_id: str, checkpoint_id: str) -> Key:
    """Lets a delete find every checkpoint. Example: `TENANT#ten_1#PROJECT#prj_1` / `CHECKPOINT#chk_1`."""
    return Key(project(tenant_id, project_id).pk, f"CHECKPOINT#{checkpoint_id}")


def repositories(tenant_id: str, project_id: str) -> str:
    """Children partition. Example: `TENANT#ten_1#PROJECT#prj_1#REPOSITORIES`."""
    return f"TENANT#{tenant_id}#PROJECT#{project_id}#REPOSITORIES"


def sync_run(tenant_id: str, repository_id: str, run: int) -> Key:
    """Example: `TENANT#ten_1#REPOSITORY#rep_1` / `RUN#0000000007`."""
    return Key(repository(tenant_id, repository_id).pk, f"RUN#{run:010d}")


def sync_batch(tenant_id: str, repository_id: str, run: int, batch: int) -> Key:
    """Example: `TENANT#ten_1#REPOSITORY#rep_1` / `RUN#0000000007#BATCH#000003`."""
    return Key(repository(tenant_id, repository_id).pk, f"{sync_batches(run)}{batch:06d}")


def sync_batches(run: int) -> str:
    """Sort key prefix of a run's batches. Example: `RUN#0000000007#BATCH#`."""
    return f"RUN#{run:010d}#BATCH#"


def hook(tenant_id: str, repository_id: str) -> Key:
    """What the webhook road reads. Example: `TENANT#ten_1#REPOSITORY#rep_1` / `HOOK`."""
    return Key(repository(tenant_id, repository_id).pk, "HOOK")


def delivery(tenant_id: str, repository_id: str, delivery_id: str) -> Key:
    """Example: `TENANT#ten_1#REPOSITORY#rep_1` / `DELIVERY#72d3162e-cc78-11e3-81ab-4c9367dc0958`."""
    return Key(repository(tenant_id, repository_id).pk, f"DELIVERY#{delivery_id}")


def checkpoint(tenant_id: str, checkpoint_id: str) -> Key:
    """Example: `TENANT#ten_1#CHECKPOINT#chk_1` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#CHECKPOINT#{checkpoint_id}", ITEM)


def checkpoints(tenant_id: str, project_id: str) -> str:
    """Children partition. Example: `TENANT#ten_1#PROJECT#prj_1#CHECKPOINTS`."""
    return f"TENANT#{tenant_id}#PROJECT#{project_id}#CHECKPOINTS"


def message(tenant_id: str, message_id: str) -> Key:
    """Example: `TENANT#ten_1#MESSAGE#msg_1` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#MESSAGE#{message_id}", ITEM)


def messages(tenant_id: str, checkpoint_id: str) -> str:
    """Children partition. Example: `TENANT#ten_1#CHECKPOINT#chk_1#MESSAGES`."""
    return f"TENANT#{tenant_id}#CHECKPOINT#{checkpoint_id}#MESSAGES"


def message_hash(tenant_id: str, checkpoint_id: str, content_sha256: str) -> Key:
    """Guards one content per checkpoint. Example: `TENANT#ten_1#CHECKPOINT#chk_1` / `HASH#9f86d0...`."""
    return Key(checkpoint(tenant_id, checkpoint_id).pk, f"HASH#{content_sha256}")


def conversation(tenant_id: str, conversation_id: str) -> Key:
    """Example: `TENANT#ten_1#CONVERSATION#cnv_1` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#CONVERSATION#{conversation_id}", ITEM)


def conversations(tenant_id: str, actor_id: str) -> str:
    """Children partition of who began them. Example: `TENANT#ten_1#CONVERSATIONS#usr_1`."""
    return f"TENANT#{tenant_id}#CONVERSATIONS#{actor_id}"


def conversation_turn(tenant_id: str, conversation_id: str, turn: int) -> Key:
    """Example: `TENANT#ten_1#CONVERSATION#cnv_1` / `TURN#000007`."""
    return Key(conversation(tenant_id, conversation_id).pk, f"{conversation_turns()}{turn:06d}")


def conversation_turns() -> str:
    """Sort key prefix of a conversation's turns. Example: `TURN#`."""
    return "TURN#"


def idempotency(tenant_id: str, scope: str, key_sha256: str) -> Key:
    """Example: `TENANT#ten_1#IDEMPOTENCY#messages#9f86d0...` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#IDEMPOTENCY#{scope}#{key_sha256}", ITEM)


def outbox(tenant_id: str, ulid: str) -> Key:
    """Example: `TENANT#ten_1#OUTBOX` / `01k9zq3v7m8x2c4b6n0d1f5g7h`."""
    return Key(f"TENANT#{tenant_id}#OUTBOX", ulid)


def audit_entries(tenant_id: str) -> str:
    """Partition of the sealed audit entries: nothing in it is ever changed. Example: `TENANT#ten_1#AUDIT`."""
    return f"TENANT#{tenant_id}#AUDIT"


def audit_entry(tenant_id: str, seq: int) -> Key:
    """Example: `TENANT#ten_1#AUDIT` / `000000000007`."""
    return Key(audit_entries(tenant_id), f"{seq:012d}")


def audit_head(tenant_id: str) -> Key:
    """How far the audit log is sealed. Example: `TENANT#ten_1#AUDITHEAD` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#AUDITHEAD", ITEM)


def audit_opens(tenant_id: str) -> str:
    """Partition of the audit entries that are not sealed yet. Example: `TENANT#ten_1#AUDITOPEN`."""
    return f"TENANT#{tenant_id}#AUDITOPEN"


def audit_open(tenant_id: str, ulid: str) -> Key:
    """Example: `TENANT#ten_1#AUDITOPEN` / `01k9zq3v7m8x2c4b6n0d1f5g7h`."""
    return Key(audit_opens(tenant_id), ulid)


def audit_sources(tenant_id: str) -> str:
    """Partition of where audited calls came from, which erasure can remove. Example: `TENANT#ten_1#AUDITSOURCE`."""
    return f"TENANT#{tenant_id}#AUDITSOURCE"


def audit_source(tenant_id: str, actor_id: str, seq: int) -> Key:
    """Example: `TENANT#ten_1#AUDITSOURCE` / `usr_1#000000000007`."""
    return Key(audit_sources(tenant_id), f"{audit_sources_of(actor_id)}{seq:012d}")


def audit_sources_of(actor_id: str) -> str:
    """Sort key prefix of one actor's. Example: `usr_1#`."""
    return f"{actor_id}#"


def quality(tenant_id: str) -> str:
    """What is measured of a tenant's searches. Example: `TENANT#ten_1#QUALITY`."""
    return f"TENANT#{tenant_id}#QUALITY"


def quality_day(tenant_id: str, day: str, index_id: str) -> Key:
    """Example: `TENANT#ten_1#QUALITY` / `DAY#2026-01-31#local-bge-small-en-v1.5`."""
    return Key(quality(tenant_id), f"{quality_days()}{day}#{index_id}")


def quality_days() -> str:
    """Sort key prefix of the days. Example: `DAY#`."""
    return "DAY#"


def verification(tenant_id: str) -> Key:
    """The last comparison of the index with its sources. Example: `TENANT#ten_1#QUALITY` / `VERIFICATION`."""
    return Key(quality(tenant_id), "VERIFICATION")


def findings(tenant_id: str) -> str:
    """Partition of the secrets found in content, and children partition by age. Example: `TENANT#ten_1#FINDINGS`."""
    return f"TENANT#{tenant_id}#FINDINGS"


def finding(tenant_id: str, finding_id: str) -> Key:
    """Example: `TENANT#ten_1#FINDINGS` / `fnd_1`."""
    return Key(findings(tenant_id), finding_id)


def finding_purge(tenant_id: str, finding_id: str) -> Key:
    """The receipt of a purge. Example: `TENANT#ten_1#FINDINGS` / `PURGE#fnd_1`."""
    return Key(findings(tenant_id), f"PURGE#{finding_id}")


def finding_source(tenant_id: str, source_id: str) -> Key:
    """What a source was last found to hold. Example: `TENANT#ten_1#FINDINGS` / `SOURCE#message:msg_1`."""
    return Key(findings(tenant_id), f"SOURCE#{source_id}")


def finding_key(tenant_id: str) -> Key:
    """The key of the fingerprints, in an envelope. Example: `TENANT#ten_1#FINDINGS` / `KEY`."""
    return Key(findings(tenant_id), "KEY")


def provider_keys(tenant_id: str) -> str:
    """Partition of the tenant's own keys for model providers. Example: `TENANT#ten_1#PROVIDERKEYS`."""
    return f"TENANT#{tenant_id}#PROVIDERKEYS"


def provider_key(tenant_id: str, provider: str) -> Key:
    """Example: `TENANT#ten_1#PROVIDERKEYS` / `openai`."""
    return Key(provider_keys(tenant_id), provider)


def head_history(tenant_id: str, repository_id: str) -> str:
    """Partition of the commits that a repository stood at, by time. Example: `TENANT#ten_1#HEADS#rep_1`."""
    return f"TENANT#{tenant_id}#HEADS#{repository_id}"


def past_head(tenant_id: str, repository_id: str, moment: str, run: int) -> Key:
    """Example: `TENANT#ten_1#HEADS#rep_1` / `2026-01-31T12:00:00.000Z#0000000007`."""
    return Key(head_history(tenant_id, repository_id), f"{moment}#{run:010d}")


def past_commit(tenant_id: str, commit: str, repository_id: str, run: int) -> Key:
    """Finds a head by its commit. Example: `TENANT#ten_1#COMMITS` / `9fceb02d...#rep_1#0000000007`."""
    return Key(f"TENANT#{tenant_id}#COMMITS", f"{commit}#{repository_id}#{run:010d}")


def vector(tenant_id: str, model_slug: str, text_sha256: str) -> Key:
    """Example: `TENANT#ten_1#VECTOR#local-bge-small-en-v1.5#9f86d0...` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#VECTOR#{model_slug}#{text_sha256}", ITEM)


def owned_documents(tenant_id: str, owner_id: str) -> str:
    """Partition of what is in a project or collection: each document, and of a project each collection.

    Example: `TENANT#ten_1#OWNED#prj_1`.
    """
    return f"TENANT#{tenant_id}#OWNED#{owner_id}"


def owned_document(tenant_id: str, owner_id: str, document_id: str) -> Key:
    """Example: `TENANT#ten_1#OWNED#prj_1` / `doc_1`."""
    return Key(owned_documents(tenant_id, owner_id), document_id)


def owned_collection(tenant_id: str, project_id: str, collection_id: str) -> Key:
    """Example: `TENANT#ten_1#OWNED#prj_1` / `col_1`."""
    return Key(owned_documents(tenant_id, project_id), collection_id)


def exports(tenant_id: str) -> str:
    """Partition of a tenant's exports. Example: `TENANT#ten_1#EXPORTS`."""
    return f"TENANT#{tenant_id}#EXPORTS"


def export(tenant_id: str, export_id: str) -> Key:
    """Example: `TENANT#ten_1#EXPORTS` / `exp_1`."""
    return Key(exports(tenant_id), export_id)


def import_(tenant_id: str, import_id: str) -> Key:
    """Example: `TENANT#ten_1#IMPORTS` / `imp_1`."""
    return Key(f"TENANT#{tenant_id}#IMPORTS", import_id)


def erasure(erasure_id: str) -> Key:
    """The receipt of an erasure, which outlives the tenant. Example: `ERASURE#ers_1` / `ITEM`."""
    return Key(f"ERASURE#{erasure_id}", ITEM)


def persons_erasures(person_id: str) -> str:
    """Children partition of the erasures that a person asked for. Example: `PERSON#usr_1#ERASURES`."""
    return f"PERSON#{person_id}#ERASURES"


def due_erasures() -> str:
    """Partition of the `due` index; sorted by the ISO time of the next step. Example: `DUE#ERASURE`."""
    return "DUE#ERASURE"


def due_repositories() -> str:
    """Partition of the `due` index; sorted by the ISO time of the next check. Example: `DUE#REPOSITORY`."""
    return "DUE#REPOSITORY"


def due_indexes() -> str:
    """Partition of the `due` index; sorted by the ISO time of the next sweep. Example: `DUE#INDEX`."""
    return "DUE#INDEX"


def due_outbox() -> str:
    """Partition of the `due` index; sorted by the ISO time of writing. Example: `DUE#OUTBOX`."""
    return "DUE#OUTBOX"


def due_audit() -> str:
    """Partition of the `due` index; sorted by when an open audit entry is given up. Example: `DUE#AUDIT`."""
    return "DUE#AUDIT"


def health() -> Key:
    """An item that never exists, for looking whether the table answers. Example: `HEALTH` / `ITEM`."""
    return Key("HEALTH", ITEM)

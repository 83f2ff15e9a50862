"""Where each kind of row may lie. An archive that says otherwise is refused: none smuggles in a role or a key."""

import re

from almanac.aws import keys
from almanac.aws.keys import Key
from identity.exports.archive import TENANT

_ULID = r"[0-7][0-9a-hjkmnp-tv-z]{25}"
# What stands for an id in a key below, and what an id looks like.
_IDS = {
    "CHK": f"chk_{_ULID}",
    "CNV": f"cnv_{_ULID}",
    "MSG": f"msg_{_ULID}",
    "PRJ": f"prj_{_ULID}",
    "SVC": f"svc_{_ULID}",
    "WHO": f"(?:usr|svc|key)_{_ULID}",
    "SUM": "[0-9a-f]{64}",
    "docid": f"doc_{_ULID}",
    "colid": f"col_{_ULID}",
    "owner": f"(?:prj|col)_{_ULID}",
    "inproject": f"(?:prj_{_ULID})?",
    "incollection": f"(?:col_{_ULID})?",
    "000000": r"\d{6,9}",
}


def _pattern(key: str) -> re.Pattern[str]:
    return re.compile(re.sub("|".join(_IDS), lambda found: _IDS[found[0]], re.escape(key)))


def _place(key: Key, children: str = "") -> tuple[re.Pattern[str], ...]:
    return _pattern(key.pk), _pattern(key.sk), _pattern(children)


# Kind -> its partition, its sort key, and its partition in the index of children ("" where it has none).
PLACES = {
    "checkpoint": _place(keys.checkpoint(TENANT, "CHK"), keys.checkpoints(TENANT, "PRJ")),
    "collection": _place(keys.collection(TENANT, "colid"), keys.collections(TENANT)),
    "collection_member": _place(keys.project_member(TENANT, "colid", "WHO")),
    "conversation": _place(keys.conversation(TENANT, "CNV"), keys.conversations(TENANT, "WHO")),
    "document": _place(keys.document(TENANT, "docid"), keys.documents(TENANT)),
    "document_analysis": _place(keys.document_analysis(TENANT, "docid")),
    "document_hash": _place(keys.document_hash(TENANT, "inproject", "incollection", "SUM")),
    "document_part": _place(keys.document_part(TENANT, "docid", 0, 0)),
    "document_version": _place(keys.document_version(TENANT, "docid", 0)),
    "message": _place(keys.message(TENANT, "MSG"), keys.messages(TENANT, "CHK")),
    "message_hash": _place(keys.message_hash(TENANT, "CHK", "SUM")),
    "owned_collection": _place(keys.owned_collection(TENANT, "PRJ", "colid")),
    "owned_document": _place(keys.owned_document(TENANT, "owner", "docid")),
    "private_collection": _place(keys.private_project(TENANT, "colid")),
    "private_project": _place(keys.private_project(TENANT, "PRJ")),
    "project": _place(keys.project(TENANT, "PRJ"), keys.projects(TENANT)),
    "project_checkpoint": _place(keys.project_checkpoint(TENANT, "PRJ", "CHK")),
    "project_member": _place(keys.project_member(TENANT, "PRJ", "WHO")),
    "service_account": _place(keys.service_account(TENANT, "SVC"), keys.service_accounts(TENANT)),
}
_TURN = _pattern(keys.conversation(TENANT, "CNV").pk), re.compile(rf"{keys.conversation_turns()}\d{{6}}"), _pattern("")
PLACES["conversation_turn"] = _TURN
_MESSAGE = _pattern(keys.message_prefix(TENANT, "MSG")).pattern + r"[\w.-]{1,100}"
_OF_DOCUMENTS = [keys.document_text(TENANT, "docid", 0, 0), keys.document_analysis_object(TENANT, "docid", 0)]
OBJECT = re.compile("|".join([_MESSAGE, *(_pattern(key).pattern for key in _OF_DOCUMENTS)]))
FILE = _pattern(keys.document_original(TENANT, "docid", 0))

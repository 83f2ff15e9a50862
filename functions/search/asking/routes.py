"""Questions and conversations over HTTP."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from almanac.access import Permission, Principal
from almanac.clock import now as moment
from almanac.errors import Unavailable, Unprocessable
from almanac.index.history import AmbiguousCommit, CommitNotIndexed
from almanac.text.secrets import clean
from almanac.web import recording
from almanac.web.app import API_PREFIX
from almanac.web.auth import Editor, InsufficientPermission, Reader
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.problems import problem_responses
from search import wiring
from search.asking import wiring as asking
from search.asking.errors import ConversationBusy, ConversationNotFound
from search.asking.repository import Conversations, Turn, unseen
from search.asking.schemas import (
    EXAMPLE_ID,
    Answer,
    Ask,
    Conversation,
    ConversationCreate,
    ConversationList,
    ConversationTurns,
)
from search.errors import DocumentVersionNotFound, DocumentVersionNotSearchable, InvalidPeriod, InvalidVersion
from search.schemas import Narrowed

if TYPE_CHECKING:
    from search.asking.retrieval import IndexSources

router = APIRouter(tags=["ask"])

Id = Annotated[str, Path(description="The conversation's id.", examples=[EXAMPLE_ID])]
_TURNS_READ = 4
_FIELD = "body.conversation_id"


@router.post(
    "/ask",
    response_model=Answer,
    responses=problem_responses(
        ConversationNotFound,
        Unprocessable,
        InvalidPeriod,
        CommitNotIndexed,
        AmbiguousCommit,
        InvalidVersion,
        DocumentVersionNotFound,
        DocumentVersionNotSearchable,
        Unavailable,
        ConversationBusy,
    ),
)
async def ask(principal: Reader, body: Ask, request: Request) -> Answer:
    """Answer a question from the sources, each sentence with citations, or say that they do not answer it."""
    conversations, turns = _conversations(principal), []
    if body.conversation_id is not None:
        await recording.begin(request, principal, conversation_id=body.conversation_id)
        if not principal.may(Permission.CONTENT_WRITE):
            raise InsufficientPermission(
                "Questions in a conversation are kept: that needs the permission `content:write`."
            )
        await conversations.get(body.conversation_id, field=_FIELD)
        turns = await conversations.recent(body.conversation_id, _TURNS_READ)
    unseen = await _unseen(principal, turns) if turns else frozenset[str]()
    turns = [turn for turn in turns if unseen.isdisjoint(turn.projects)]
    asker = await asyncio.to_thread(_prepared)
    from search.asking import presenter
    from search.asking.followups import Said, leans

    said = [Said(t.resolved_question, t.answer["answer"], _titles(t)) for t in turns]
    filters = body.given()
    if turns and not filters and leans(body.question):
        filters = dict(turns[-1].filters)
    sources = await _sources(principal, Narrowed.model_validate(filters))
    question = await asker.resolve(body.question, said)
    made = await asker.ask(question, sources, body.limit)
    shown = presenter.answer(made, body.question, filters, body.conversation_id, None)
    if body.conversation_id is not None:
        leant_on = turns if question != body.question else []
        projects = {*presenter.quoted(made), *(name for turn in leant_on for name in turn.projects)}
        asked, meant = await asyncio.to_thread(lambda: (clean(body.question), clean(question)))
        kept = Turn(0, asked, meant, presenter.kept(shown), filters, moment(), tuple(sorted(projects)))
        shown.turn = (await conversations.append(body.conversation_id, kept, field=_FIELD)).number
    return shown


@router.post(
    "/conversations",
    status_code=201,
    response_model=Conversation,
    responses=problem_responses(Unprocessable),
)
async def create_conversation(principal: Editor, body: ConversationCreate, response: Response) -> Conversation:
    """Begin a conversation, in which questions may lean on earlier ones."""
    await asyncio.to_thread(_load_presenter)
    from search.asking import presenter

    created = await _conversations(principal).create(await asyncio.to_thread(clean, body.title))
    response.headers["location"] = f"{API_PREFIX}/conversations/{created.id}"
    return presenter.conversation(created)


@router.get(
    "/conversations",
    response_model=ConversationList,
    responses=problem_responses(InvalidCursor, Unprocessable),
)
async def list_conversations(principal: Reader, limit: Limit = 50, cursor: Cursor = None) -> ConversationList:
    """List the conversations that the caller began, the newest first."""
    await asyncio.to_thread(_load_presenter)
    from search.asking import presenter

    cursors = await wiring.cursor_secrets().cursors(principal.tenant_id)
    before = str(cursors.decode("conversations", cursor)["before"]) if cursor else None
    page = await _conversations(principal).list(limit, before)
    return ConversationList(
        items=[presenter.conversation(found) for found in page.conversations],
        next_cursor=cursors.encode("conversations", {"before": page.next}) if page.next else None,
    )


@router.get(
    "/conversations/{conversation_id}",
    response_model=ConversationTurns,
    responses=problem_responses(InvalidCursor, ConversationNotFound, Unprocessable),
)
async def get_conversation(
    principal: Reader, conversation_id: Id, limit: Limit = 50, cursor: Cursor = None
) -> ConversationTurns:
    """Show a conversation and its turns, the oldest first, as they were said.

    An answer is not shown that quoted a project, collection or document which the caller no longer sees.
    """
    await asyncio.to_thread(_load_presenter)
    from search.asking import presenter

    conversations = _conversations(principal)
    found = await conversations.get(conversation_id)
    cursors = await wiring.cursor_secrets().cursors(principal.tenant_id)
    listing = f"conversations/{conversation_id}"
    after = int(cursors.decode(listing, cursor)["after"]) if cursor else 0
    turns, following = await conversations.turns(conversation_id, limit, after)
    gone = await _unseen(principal, turns)
    return ConversationTurns(
        **presenter.conversation(found).model_dump(),
        items=[presenter.turn(said.as_seen(gone)) for said in turns],
        next_cursor=cursors.encode(listing, {"after": following}) if following else None,
    )


@router.delete(
    "/conversations/{conversation_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(ConversationNotFound, Unavailable),
)
async def delete_conversation(principal: Editor, conversation_id: Id) -> None:
    """Delete a conversation and its turns."""
    await _conversations(principal).delete(conversation_id)


def _conversations(principal: Principal) -> Conversations:
    return Conversations(wiring.table(), principal.tenant_id, principal.actor_id)


async def _unseen(principal: Principal, turns: list[Turn]) -> frozenset[str]:
    return await unseen(wiring.table(), wiring.sight(principal), principal.tenant_id, turns)


def _prepared() -> Any:
    """Import what answers need, numpy and the index: in a thread, so that the loop goes on."""
    from search.asking import presenter, retrieval  # noqa: F401

    wiring.searcher()
    return asking.asker()


async def _sources(principal: Principal, narrowed: Narrowed) -> "IndexSources":
    from almanac.index.filters import Filters
    from search import narrowing, past
    from search.asking.retrieval import IndexSources
    from search.service import Asked

    now, hiding = datetime.now(UTC).replace(microsecond=0), wiring.sight(principal).hidden
    asked = Asked("", filters=narrowing.filters_of(narrowed, Filters(), now, "body"))
    then = await past.of_request(wiring.table(), wiring.reader().containers, principal, narrowed, now, "body")
    asked = replace(asked, past=then) if then else asked
    return IndexSources(wiring.searcher(), principal.tenant_id, hiding, asked)


def _titles(turn: Turn) -> tuple[str, ...]:
    return tuple(cited["title"] for cited in turn.answer["citations"])


def _load_presenter() -> None:
    """Import what shows conversations, which brings numpy: on the event loop that would block."""
    from search.asking import presenter  # noqa: F401

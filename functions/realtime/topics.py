"""What can be followed, and who may: whoever may read what a topic is about."""

from dataclasses import dataclass
from typing import Self

from almanac.active import is_active
from almanac.aws import keys
from almanac.aws.keys import Key
from almanac.aws.table import Item, Table
from almanac.ids import Prefix, is_id
from almanac.visible import ProjectAccess, Sight
from realtime.errors import TopicNotFound

_KINDS: dict[str, Prefix] = {"document": "doc", "collection": "col", "project": "prj", "repository": "rep"}


@dataclass(frozen=True)
class Topic:
    """A kind of thing and the id of one. Example: `document:doc_1`."""

    kind: str
    id: str

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def parse(cls, name: str) -> Self:
        """Read a topic's name; raises `TopicNotFound`."""
        kind, _, id_ = name.partition(":")
        if kind not in _KINDS or not is_id(id_, _KINDS[kind]):
            raise TopicNotFound
        return cls(kind, id_)

    def key(self, tenant_id: str) -> Key:
        """Return where what it is about lies."""
        return {
            "document": keys.document,
            "collection": keys.collection,
            "project": keys.project,
            "repository": keys.repository,
        }[self.kind](tenant_id, self.id)


async def check(table: Table, tenant_id: str, topic: Topic, sight: Sight) -> None:
    """Refuse a topic about what is not there or what the caller does not see; raises `TopicNotFound`."""
    item = await table.get(topic.key(tenant_id))
    if not is_active(item):
        raise TopicNotFound
    above = {"project": item.get("project_id"), "collection": item.get("collection_id")}
    found: list[Item] = [item] if topic.kind in above else []
    for kind, owner_id in above.items():
        if owner_id:
            owner = await table.get(Topic(kind, owner_id).key(tenant_id))
            if not is_active(owner):
                raise TopicNotFound
            found.append(owner)
    # Last, so that what was read before is judged by it.
    access = await sight.access()
    if not all(_shows(access, owner) for owner in found):
        raise TopicNotFound


def _shows(access: ProjectAccess, owner: Item) -> bool:
    return access.shows(owner["id"], owner.get("visibility"))


def tells(topic: str, owners: tuple[str, ...], private: frozenset[str]) -> bool:
    """Tell whether a topic is told of what these own.

    A project's feed is not told what happens in a private collection of it: the numbers of its events would tell the
    project's readers how much does. Whoever sees the collection follows that.
    """
    kind, _, id_ = topic.partition(":")
    return kind != "project" or not private & (set(owners) - {id_})

"""What a name on the command line means: one thing, or an error that says how to name one."""

from collections.abc import Sequence
from urllib.parse import quote

from almanac_cli.client import Api, Document
from almanac_cli.errors import CliError, Exit


def by_id_or_name(api: Api, path: str, prefix: str, kind: str, given: str) -> Document:
    """Return what has this id (they begin with `prefix`) or, if there is exactly one, this name."""
    if given.startswith(prefix):
        found: Document = api.get(f"{path}/{quote(given, safe='')}")
        return found
    named = [candidate for candidate in api.items(path) if candidate["name"] == given]
    listing = f"almanac {kind}s list"
    return the_one(named, f"There is no {kind} '{given}'.", listing, f"{kind}s are called '{given}'")


def the_one(named: Sequence[Document], missing: str, listing: str, said: str, *, id_field: str = "id") -> Document:
    """Return the one thing that is named; raises `CliError`.

    `missing` says that there is none, `listing` is the command that shows what there is, and `said` what is said of
    several, after their number.
    """
    if not named:
        raise CliError(missing, f"'{listing}' shows them.", Exit.NOT_FOUND)
    if len(named) > 1:
        ids = ", ".join(each[id_field] for each in named)
        raise CliError(f"{len(named)} {said}.", f"Give an id: {ids}.", Exit.USAGE)
    return named[0]

"""Archives and e-mail: files in files. Each is read as a file of its own and labelled by its name in the container."""

import email
import email.policy
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from email.message import EmailMessage, Message
from pathlib import Path, PurePosixPath

from documents.reading import kinds, sections, zips
from documents.reading.units import Bad, Found, Task, Trouble, Unit, Units, Warned

_HEADERS = ("Subject", "From", "To", "Cc", "Date")
_SKIPPED = frozenset({"unsupported", "empty", "scanned"})
"""Troubles of a member that are told in passing: a signature's logo makes no document incomplete."""
_OF_ALL = frozenset({"hostile", "out_of_memory"})
"""Troubles of a member that are the whole file's."""
_MOST_PARTS = 1000


def archive(task: Task, kind: str) -> Units:
    if task.depth >= task.limits["depth"]:
        raise Trouble("hostile", f"Archives lie in it more than {task.limits['depth']} deep.")
    if kind == kinds.ZIP:
        yield from _zip(task)
    elif kind == kinds.TAR:
        yield from _tar(task)
    else:
        yield from _gzip(task)


def _zip(task: Task) -> Units:
    with zips.opened(task.path) as opened:
        members = [member for member in opened.infolist() if not member.is_dir()]
        for member in members:
            yield from _zip_member(task, opened, member)
        if not members:
            raise Trouble("empty")


def _zip_member(task: Task, opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> Units:
    task.budget.count_member()
    if bad := _bad_name(member.filename):
        yield bad
        return
    zips.check_ratio(task, member.file_size, member.compress_size)
    password = None if task.password is None else task.password.encode()
    path = task.scratch_file()
    label = _label(member.filename)
    try:
        with opened.open(member, pwd=password) as file:
            _save(path, zips.chunks(task, file, member.compress_size))
    except RuntimeError:
        yield Bad(label, "wrong_password" if task.password else "encrypted", f"{label} is encrypted.")
    except (*zips.BROKEN, zlib.error):
        yield Bad(label, "corrupt", f"{label} is damaged.")
    else:
        yield from _member(task, path, member.filename, label)


def _tar(task: Task) -> Units:
    try:
        with tarfile.open(task.path, "r:") as opened:
            for member in opened:
                if not member.isfile():
                    continue
                task.budget.count_member()
                if bad := _bad_name(member.name):
                    yield bad
                    continue
                path = task.scratch_file()
                file = opened.extractfile(member)
                if file is not None:
                    _save(path, zips.chunks(task, file))
                    yield from _member(task, path, member.name, _label(member.name))
    except (tarfile.TarError, *zips.BROKEN):
        yield Bad(task.name, "corrupt", "The rest of the archive is damaged.")


def _gzip(task: Task) -> Units:
    path = task.scratch_file()
    name = task.name.removesuffix(".gz").removesuffix(".GZ")
    name = f"{name[:-4]}.tar" if name.endswith(".tgz") else name
    try:
        with task.path.open("rb") as file:
            _save(path, zips.gunzipped(task, file, task.path.stat().st_size))
    except (*zips.BROKEN, zlib.error):
        yield Bad(name, "corrupt", "The end of the file is missing or damaged.")
    inner = task.inside(path, name)
    if path.exists() and path.stat().st_size:
        yield from _parsed(inner)


def _save(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for data in chunks:
            file.write(data)


def _bad_name(name: str) -> Bad | None:
    """Refuse a member whose name reaches out of the archive. (No name ever becomes a path here.)"""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
        return Bad(_label(name), "hostile", f"The name {_label(name)} points outside of the archive.")
    return None


def _label(name: str) -> str:
    return "".join(character for character in name if character.isprintable())[:120]


def _parsed(task: Task) -> Units:
    from documents.reading import parsing

    return parsing.parse(task)


def _member(task: Task, path: Path, name: str, label: str) -> Units:
    """Yield what is in a member, labelled by it; what cannot be read of it ends it alone."""
    try:
        for found in _parsed(task.inside(path, name)):
            yield _within(label, found)
    except Trouble as trouble:
        if trouble.code in _OF_ALL:
            raise
        if trouble.code in _SKIPPED:
            yield Warned(f"{label} was left out: {trouble.message or trouble.code}")
        else:
            yield Bad(label, trouble.code, trouble.message or f"{label} cannot be read: {trouble.code}.")
    finally:
        path.unlink(missing_ok=True)


def _within(label: str, found: Found) -> Found:
    match found:
        case Unit():
            name = f"{label} > {found.label}"
            return Unit(found.unit if found.table else "attachment", name, found.text, 0, found.table)
        case Bad():
            return Bad(f"{label} > {found.label}", found.code, found.message)
        case Warned():
            return Warned(f"{label}: {found.message}")


def mail(task: Task) -> Units:
    with task.path.open("rb") as file:
        try:
            message = email.message_from_binary_file(file, policy=email.policy.default)
        except (ValueError, LookupError):
            raise Trouble("corrupt") from None
    yield from _message(task, message)


def _message(task: Task, message: EmailMessage | Message) -> Units:
    headers = [f"**{name}**: {text}" for name in _HEADERS if (text := _header(message, name))]
    parts = list(_parts(message))
    bodies = [part for part in parts if _is_body(part)]
    plain = [part for part in bodies if part.get_content_type() == "text/plain"]
    texts = ["\n".join(headers), *(_text(task, part) for part in plain or bodies)]
    yield from sections.section("message", "\n\n".join(filter(None, texts)))
    for part in parts:
        if not _is_body(part):
            yield from _attachment(task, part)


def _parts(message: Message) -> Iterable[Message]:
    """Yield the leaves of a message; a message in it is a leaf."""
    waiting, count = [message], 0
    while waiting:
        part = waiting.pop(0)
        count += 1
        if count > _MOST_PARTS:
            raise Trouble("hostile", "The message has too many parts.")
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            waiting[:0] = [inner for inner in part.get_payload() if isinstance(inner, Message)]
        else:
            yield part


def _header(message: Message, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, LookupError, AttributeError, IndexError, TypeError):
        return ""


def _is_body(part: Message) -> bool:
    is_text = part.get_content_type() in ("text/plain", "text/html")
    return is_text and part.get_content_disposition() != "attachment" and not part.get_filename()


def _text(task: Task, part: Message) -> str:
    path = task.scratch_file()
    path.write_bytes(_payload(part))
    inner = task.inside(path, "body.html" if part.get_content_type() == "text/html" else "body.txt")
    if part.get_content_type() == "text/plain":
        return _decoded(part)
    try:
        return "\n\n".join(found.text for found in _parsed(inner) if isinstance(found, Unit))
    except Trouble:
        return ""


def _decoded(part: Message) -> str:
    from documents.reading.decoding import decode

    content = _payload(part)
    try:
        return content.decode(part.get_content_charset("utf-8")).replace("\r\n", "\n")
    except (LookupError, UnicodeDecodeError):
        return decode(content)


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _attachment(task: Task, part: Message) -> Units:
    task.budget.count_member()
    if part.get_content_type() == "message/rfc822":
        yield from _forwarded(task, part)
        return
    name = _label(part.get_filename() or "without a name")
    content = _payload(part)
    task.budget.expand(len(content))
    path = task.scratch_file()
    path.write_bytes(content)
    yield from _member(task, path, name, f"attachment {name}")


def _forwarded(task: Task, part: Message) -> Units:
    label = "attachment message"
    if task.depth >= task.limits["depth"]:
        yield Warned(f"A message was left out that is forwarded more than {task.limits['depth']} times.")
        return
    for inner in part.get_payload():
        if isinstance(inner, Message):
            for found in _message(task.inside(task.path, label), inner):
                yield _within(label, found)

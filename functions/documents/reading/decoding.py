"""Bytes into text, whatever encoding they are in."""

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE = 64 * 1024
_CANDIDATES = ("cp1251", "koi8_r", "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr", "cp1252", "cp1250", "iso8859_5")
_CONTROLS = re.compile(r"[\0-\x08\x0e-\x1f\x7f]")


def decode(content: bytes) -> str:
    """Return the text with plain line ends and without control characters. Total: any bytes have a text."""
    text = _decode(content).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", text)


def _decode(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    if without_mark := utf16_without_mark(content[:4096]):
        return content.decode(without_mark, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode(_guess(content), "replace")


def utf16_without_mark(head: bytes) -> str | None:
    """Return which UTF-16 the bytes are that no mark begins: zeros on one side only, and words on decoding."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if min(even, odd) * 20 > max(even, odd) or max(even, odd) == 0:
        return None
    encoding = "utf-16-be" if even > odd else "utf-16-le"
    text = head[: len(head) // 2 * 2].decode(encoding, "replace")
    words = sum(character.isalnum() or character.isspace() for character in text)
    return encoding if words * 10 > len(text) * 7 else None


def _guess(content: bytes) -> str:
    """Return the likeliest encoding of bytes that are not UTF-8."""
    from charset_normalizer import from_bytes

    sample = content[:_SAMPLE]
    best = from_bytes(sample, cp_isolation=list(_CANDIDATES)).best()
    return best.encoding if best is not None else "cp1252"

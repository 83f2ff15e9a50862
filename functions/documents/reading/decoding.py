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
_WESTERN = frozenset("\u2018\u2019\u2013\u2014àáâãäåæçèéêëìíîïñòóôõöøùúûüßœÀÁÂÄÅÆÇÈÉÊËÑÓÖØÙÚÜŒ«»“”„…•°§©®£€¿¡ºª²³½\xa0")
_SHORT = 100
"""Bytes of which no statistics tell anything."""
_CONTROLS = re.compile(r"[\0-\x08\x0e-\x1f\x7f]")


def decode(content: bytes, declared: str | None = None) -> str:
    """Return the text with plain line ends and without control characters. Total: any bytes have a text.

    A byte-order mark decides, then what the file declares, then what the bytes look like.
    """
    text = _decode(content, declared).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", text)


def _decode(content: bytes, declared: str | None) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    if without_mark := utf16_without_mark(content[:4096]):
        return content.decode(without_mark, "replace")
    for told in ("utf-8", declared):
        try:
            if told:
                return content.decode(told)
        except (UnicodeDecodeError, LookupError):
            continue
    return content.decode(_guess(content), "replace")


def utf16_without_mark(head: bytes) -> str | None:
    """Return which UTF-16 the bytes are that no mark begins: zeros on one side only, and words on decoding."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if min(even, odd) * 20 > max(even, odd) or max(even, odd) * 50 <= len(head):
        return None
    encoding = "utf-16-be" if even > odd else "utf-16-le"
    text = head[: len(head) // 2 * 2].decode(encoding, "replace")
    words = sum(character.isalnum() or character.isspace() for character in text)
    return encoding if words * 10 > len(text) * 7 else None


def _guess(content: bytes) -> str:
    """Return the likeliest encoding of bytes that are not UTF-8."""
    sample = content[:_SAMPLE]
    if _is_western(sample):
        return "cp1252"
    if len(sample) < _SHORT and (cyrillic := _short_cyrillic(sample)):
        return cyrillic
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=list(_CANDIDATES)).best()
    return best.encoding if best is not None else "cp1252"


def _is_western(sample: bytes) -> bool:
    """Tell whether accents of Western languages are sprinkled among plain letters."""
    others = [character for character in sample.decode("cp1252", "replace") if character > "\x7f"]
    return len(others) * 4 < len(sample) and _WESTERN.issuperset(others)


def _short_cyrillic(sample: bytes) -> str | None:
    """Return the Cyrillic encoding in which the letters are mostly small ones."""
    letters = [byte for byte in sample if byte > 127]
    if len(letters) * 2 < len(sample):
        return None
    texts = {encoding: bytes(letters).decode(encoding, "replace") for encoding in ("cp1251", "koi8_r")}
    if not all("\u0400" <= letter <= "\u045f" for text in texts.values() for letter in text):
        return None
    return max(texts, key=lambda encoding: sum(letter.islower() for letter in texts[encoding]))

"""Pictures of text, as a scanner makes them."""

import io
import random
import struct
import zlib
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

LINES = (
    "The supplier hands over the turbine in October and",
    "the gearbox is inspected before it is delivered by",
    "an independent expert whose report is due in thirty",
    "days after arrival and any delay costs a fine",
)
_SPECKS = 400


def scan(lines: Sequence[str] = LINES, *, degrees: int = 0) -> Image.Image:
    """Return a grey picture of these lines on paper with specks, turned against the clock."""
    picture = Image.new("L", (1100, 120 + 60 * len(lines)), 245)
    drawing = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        drawing.text((60, 60 + 60 * number), line, font=ImageFont.load_default(36), fill=30)
    dice = random.Random(3)
    for _ in range(_SPECKS):
        at = (dice.randrange(picture.width), dice.randrange(picture.height))
        drawing.point(at, dice.randrange(256))
    return picture.rotate(degrees, expand=True)


def saved(pictures: Sequence[Image.Image], kind: str) -> bytes:
    """Return a file of pictures. Example: "TIFF"."""
    out = io.BytesIO()
    first, *others = pictures
    more = {"save_all": True, "append_images": others} if others else {}
    first.save(out, kind, **more)
    return out.getvalue()


def noise() -> Image.Image:
    """Return a picture of nothing at all."""
    return Image.frombytes("L", (600, 600), random.Random(3).randbytes(360_000))


def png_of(width: int, height: int) -> bytes:
    """Return a white picture of any size, however large, in few bytes."""
    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * ((width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part)) for kind, part in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)

"""A gzip file that unpacks to itself.

Deflate is a language of two commands: "write these bytes" and "write again what was written last". The program below
prints itself; each of its commands is a unit of five bytes. Its checksum stands in it twice and must be its own: 32
linear equations of bits.
"""

import struct
import zlib

_UNIT = 5
_HEADER = b"\x1f\x8b\x08\x08\0\0\0\0\x02\xffself\0"
_SIZE = 210


def quine() -> bytes:
    """Return the file."""
    checksum, rest = 0, zlib.crc32(_program(0))
    columns = [zlib.crc32(_program(1 << bit)) ^ rest ^ (1 << bit) for bit in range(32)]
    solved: list[tuple[int, int, int]] = []
    for bit, column in enumerate(columns):
        bits = 1 << bit
        for pivot, other, others in solved:
            if column >> pivot & 1:
                column, bits = column ^ other, bits ^ others
        solved.append((column.bit_length() - 1, column, bits))
    for pivot, column, bits in solved:
        if rest >> pivot & 1:
            rest, checksum = rest ^ column, checksum ^ bits
    return _program(checksum)


def _program(checksum: int) -> bytes:
    none, once, four, again = _write(0), _write(1), _write(4), _write_again()
    tail = none + b"\x03\0" + struct.pack("<II", checksum, _SIZE)
    return b"".join(
        [
            *(_HEADER, four, _HEADER, four),
            *(again, once, again, once, once, four, again, once, once, four),
            *(again, four, again, four, again, four),
            *(again, four, again, none, none, four),
            *(again, none, none, four, again, tail),
            *(again, tail),
        ]
    )


def _write(units: int) -> bytes:
    """Return the command to write the units that follow."""
    size = _UNIT * units
    return struct.pack("<BHH", 0, size, 0xFFFF ^ size)


def _write_again() -> bytes:
    """Return the command to write the last four units again: ten bytes from twenty back, twice."""
    match = [*_code(264 - 256, 7), *_code(8, 5), *_number(20 - 17, 3)]
    bits = [*_number(0, 1), *_number(1, 2), *match, *match, *_code(0, 7)]
    return sum(bit << place for place, bit in enumerate(bits)).to_bytes(_UNIT, "little")


def _code(value: int, width: int) -> list[int]:
    return _number(value, width)[::-1]


def _number(value: int, width: int) -> list[int]:
    return [value >> place & 1 for place in range(width)]

"""Compound files (OLE2): the old container of Microsoft's formats, written small."""

import struct
from typing import Any

_SECTOR, _MINI, _CUTOFF = 512, 64, 4096
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_NONE = 0xFFFFFFFF


def compound(tree: dict[str, Any]) -> bytes:
    """Return a file of storages (dicts) and streams (bytes)."""
    return _Writer().write(tree)


class _Writer:
    def __init__(self) -> None:
        self.sectors: list[bytes] = []
        self.fat: list[int] = []
        self.mini = b""
        self.mini_fat: list[int] = []
        self.entries: list[bytes] = []

    def write(self, tree: dict[str, Any]) -> bytes:
        self.entries.append(b"")
        child = self._children(tree)
        root = self._chain(self.mini)
        self.entries[0] = _entry("Root Entry", 5, _NONE, child, root, len(self.mini))
        while len(self.entries) % 4:
            self.entries.append(_entry("", 0, _NONE, _NONE, 0, 0))
        directory = self._chain(b"".join(self.entries))
        mini_fat = self._chain(b"".join(struct.pack("<I", link) for link in self.mini_fat)) if self.mini_fat else _END
        mini_fat_sectors = -(-4 * len(self.mini_fat) // _SECTOR)
        fat_at, fats = self._fat()
        header = struct.pack(
            "<8s16sHHHHH6sIIIIIIIII",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, b"", 0, fats, directory, 0, _CUTOFF,
            mini_fat, mini_fat_sectors, _END, 0,
        )  # fmt: skip
        table = [*range(fat_at, fat_at + fats), *[_FREE] * (109 - fats)]
        return header + struct.pack("<109I", *table) + b"".join(self.sectors)

    def _fat(self) -> tuple[int, int]:
        """Append the table of sectors, which counts its own; return where and how many they are."""
        first, count = len(self.sectors), 1
        while count * (_SECTOR // 4) < first + count:
            count += 1
        links = [*self.fat, *[_FAT] * count]
        links += [_FREE] * (count * (_SECTOR // 4) - len(links))
        data = struct.pack(f"<{len(links)}I", *links)
        self.sectors += [data[at : at + _SECTOR] for at in range(0, len(data), _SECTOR)]
        return first, count

    def _chain(self, data: bytes) -> int:
        if not data:
            return _END
        first = len(self.sectors)
        for at in range(0, len(data), _SECTOR):
            self.sectors.append(data[at : at + _SECTOR].ljust(_SECTOR, b"\0"))
            self.fat.append(len(self.sectors))
        self.fat[-1] = _END
        return first

    def _mini_chain(self, data: bytes) -> int:
        if not data:
            return _END
        first = len(self.mini) // _MINI
        for at in range(0, len(data), _MINI):
            self.mini += data[at : at + _MINI].ljust(_MINI, b"\0")
            self.mini_fat.append(len(self.mini) // _MINI)
        self.mini_fat[-1] = _END
        return first

    def _children(self, tree: dict[str, Any]) -> int:
        """Append the entries of a storage as a list to the right; return the first."""
        names = sorted(tree, key=lambda name: (len(name), name.upper()))
        first = len(self.entries)
        self.entries += [b""] * len(names)
        for place, name in enumerate(names):
            content = tree[name]
            right = first + place + 1 if place + 1 < len(names) else _NONE
            if isinstance(content, dict):
                entry = _entry(name, 1, right, self._children(content), 0, 0)
            else:
                start = self._chain(content) if len(content) >= _CUTOFF else self._mini_chain(content)
                entry = _entry(name, 2, right, _NONE, start, len(content))
            self.entries[first + place] = entry
        return first if names else _NONE


def _entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
    encoded = name.encode("utf-16-le")
    return struct.pack(
        "<64sHBBIII16sIQQIQ",
        encoded, len(encoded) + 2 if name else 0, kind, 1, _NONE, right, child, b"", 0, 0, 0, start, size,
    )  # fmt: skip

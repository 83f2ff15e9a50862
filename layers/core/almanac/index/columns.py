"""Columns that grow: the memory of an index is numpy arrays, not Python objects."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

_GROWTH = 1.5
_FIRST = 64


class Column:
    """An array that is appended to; `array` is a view of what is filled, valid until the next append."""

    def __init__(self, dtype: DTypeLike, width: int | None = None) -> None:
        self._width = () if width is None else (width,)
        self._buffer: NDArray[Any] = np.empty((0, *self._width), dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def array(self) -> NDArray[Any]:
        return self._buffer[: self._size]

    @property
    def nbytes(self) -> int:
        return int(self._buffer.nbytes)

    def extend(self, values: ArrayLike) -> None:
        added = np.asarray(values, self._buffer.dtype).reshape(-1, *self._width)
        size = self._size + len(added)
        if size > len(self._buffer):
            capacity = max(size, int(len(self._buffer) * _GROWTH), _FIRST)
            grown = np.empty((capacity, *self._width), self._buffer.dtype)
            grown[: self._size] = self.array
            self._buffer = grown
        self._buffer[self._size : size] = added
        self._size = size

    def append(self, value: Any) -> None:
        self.extend([value])


class Names:
    """Strings by number, in order of first sight; number `NONE` stands for no string."""

    NONE = -1

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.texts: list[str] = []
        self._characters = 0

    def __len__(self) -> int:
        return len(self.texts)

    def find(self, text: str) -> int:
        """Return the number of a string that was added, or `NONE`."""
        return self._numbers.get(text, self.NONE)

    def add(self, text: str | None) -> int:
        if text is None:
            return self.NONE
        number = self._numbers.setdefault(text, len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
            self._characters += len(text)
        return number

    @property
    def nbytes(self) -> int:
        """An estimate: a string's header, its place in the list and in the dictionary."""
        return self._characters + 160 * len(self.texts)

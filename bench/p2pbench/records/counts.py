# SPDX-License-Identifier: GPL-2.0
"""The functions of a count, kept small: a long run has millions of rows and few names.

A row of the journal is an object; as a dict it would take half a KiB, and here it takes 16 bytes.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from operator import itemgetter
from typing import Any, TypedDict, overload

# Function, object and subsystem.
Name = tuple[str, str, str]
# Of a function's instructions per I/O: what is less is left out of the journal.
LEAST = 0.05
# The same for what is not of the I/O path: there are many, and they only explain differences.
LEAST_OTHER = 0.5
# Everything else in the kernel. It is counted, but not as the path.
OTHER = "other"
# What the compiler appends to the name of a function that it cloned, cut or split.
_SUFFIX = re.compile(r"(\.(isra|constprop|part|cold|lto_priv)(\.\d+)?)+$")
KEYS = ("function", "object", "subsystem")
_name_of = itemgetter(*KEYS)
_per_io_of = itemgetter("per_io")


def plain_name(name: str) -> str:
    """Return a function's name as the source has it, without what the compiler appended."""
    return _SUFFIX.sub("", name)


class Row(TypedDict):
    """A function as the journal has it; what it takes is in instructions per I/O."""

    function: str
    object: str
    subsystem: str
    per_io: float


class Functions(Sequence[Row]):
    """The rows of a count in their order; `names` are shared with all that know the same ones."""

    __slots__ = ("names", "per_io")

    def __init__(self, rows: Iterable[Row], known: MutableMapping[Name, Name]) -> None:
        """Raises KeyError or TypeError for a row that is not of this shape."""
        rows = list(rows)
        self.names = tuple([known.setdefault(name, name) for name in map(_name_of, rows)])
        self.per_io = array("d", map(_per_io_of, rows))

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Row:
        ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]:
        ...

    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return list(self)[index]
        function, found, subsystem = self.names[index]
        return {
            "function": function,
            "object": found,
            "subsystem": subsystem,
            "per_io": self.per_io[index],
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)


def pairs(rows: Sequence[Row]) -> Iterator[tuple[Name, float]]:
    """The name and the instructions per I/O of each function."""
    found: Any = rows if isinstance(rows, Functions) else Functions(rows, {})
    return zip(found.names, found.per_io)

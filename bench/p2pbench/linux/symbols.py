# SPDX-License-Identifier: GPL-2.0
"""The functions of a kernel build: their addresses, and the object file that each comes from.

Names are from System.map, objects from the linker's map; which subsystem a function belongs to
is decided by the path of its object, so that no name has to be guessed.
"""

import bisect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2pbench.base.errors import BenchError
from p2pbench.base.paths import shown
from p2pbench.linux.probe import read_probe
from p2pbench.records.counts import OTHER, plain_name

# An input section: its name (on a line of its own when it is long), address, size, object.
_SECTION = re.compile(r"^ (\.[\w.]*text[\w.]*)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S+)$", re.M)
_KERNEL = 0xFFFFFFFF80000000


@dataclass(frozen=True)
class Function:
    """A function of a kernel build; object and subsystem are OTHER where the map has none."""

    address: int
    name: str
    object: str
    subsystem: str


def compact(path: Path) -> str:
    """Return what a count needs of vmlinux.map: lines of address, size (both hex) and object."""
    text = _read(
        path, "the linker writes it when CONFIG_VMLINUX_MAP is on (config/base.config in linux/)"
    )
    lines = []
    for _, address, size, name in _SECTION.findall(text):
        if int(size, 16) and int(address, 16):
            lines.append(f"{int(address, 16):x} {int(size, 16):x} {_member(name)}\n")
    if not lines:
        raise BenchError(f"{shown(path)}: no section with code in it; is it a map of GNU ld?")
    return "".join(sorted(lines))


def _member(name: str) -> str:
    """Return the object's own path: "vmlinux.a(block/bio.o)" is block/bio.o."""
    return name[name.index("(") + 1 : -1] if name.endswith(")") else name


def _read(path: Path, hint: str) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise BenchError(f"{shown(path)}: {error.strerror}; {hint}") from None


def subsystem_of(path: str, subsystems: Mapping[str, str]) -> str:
    """Return the subsystem of an object file; subsystems are those of its base (probe.py)."""
    return next((name for start, name in subsystems.items() if path.startswith(start)), OTHER)


def read_functions(directory: Path, release: str) -> list[Function]:
    """Return the functions of a cached build on a base, by address; one for each address."""
    subsystems = read_probe(release).subsystems
    hint = f"it belongs to a cached kernel: remove {directory} and it is built again"
    symbols = _symbols(directory / "System.map", hint)
    objects = _Objects(directory / "objects.map", hint)
    found = []
    for address in sorted(symbols):
        path = objects.at(address)
        found.append(Function(address, symbols[address], path, subsystem_of(path, subsystems)))
    return found


def largest_piece(functions: Sequence[Function], path: str) -> tuple[int, int]:
    """Return where the largest piece of an object's code begins and where it ends.

    functions are those of a build, by address. What is cold or runs once lies in pieces of its
    own. Raises BenchError when the object has no function.
    """
    pieces: list[tuple[int, int]] = []
    for function, following in zip(functions, functions[1:]):
        if function.object != path:
            continue
        if pieces and pieces[-1][1] == function.address:
            pieces[-1] = pieces[-1][0], following.address
        else:
            pieces.append((function.address, following.address))
    if not pieces:
        raise BenchError(f"no function of {path} in this kernel: is it built in (linux/*/config/)?")
    return max(pieces, key=lambda piece: piece[1] - piece[0])


def _symbols(path: Path, hint: str) -> dict[int, str]:
    """Return a name for each address of the text: a global one before a local or a weak one."""
    best: dict[int, tuple[int, str]] = {}
    for number, line in enumerate(_read(path, hint).splitlines(), 1):
        try:
            digits, kind, name = line.split()
            address = int(digits, 16)
        except ValueError:
            raise BenchError(
                f"{shown(path)}:{number}: expected an address, a type and a name; {hint}"
            ) from None
        # _end bounds the last function: behind it are modules, and what the kernel generates.
        if address >= _KERNEL and (kind in "tTwW" or name == "_end"):
            rank = ("TtWw".find(kind), name)
            best[address] = min(best.get(address, rank), rank)
    if not best:
        raise BenchError(f"{shown(path)}: no function in it; {hint}")
    return {address: name for address, (_, name) in best.items()}


class _Objects:
    """Which object an address comes from."""

    def __init__(self, path: Path, hint: str) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._paths: list[str] = []
        for number, line in enumerate(_read(path, hint).splitlines(), 1):
            try:
                start, size, name = line.split()
                self._starts.append(int(start, 16))
                self._ends.append(int(start, 16) + int(size, 16))
                self._paths.append(name)
            except ValueError:
                raise BenchError(
                    f"{shown(path)}:{number}: expected an address, a size and an object; {hint}"
                ) from None

    def at(self, address: int) -> str:
        index = bisect.bisect_right(self._starts, address) - 1
        return self._paths[index] if index >= 0 and address < self._ends[index] else OTHER


def differing(builds: Mapping[str, Sequence[Function]]) -> list[dict[str, Any]]:
    """Return the functions of the path that are not in every build by the same name.

    "in" and "absent" are variants. A function that is absent was inlined or does not exist there;
    where the compiler renamed it, "as" has the other names by variant.
    """
    names = {
        variant: {(f.object, f.name): f for f in functions if f.subsystem != OTHER}
        for variant, functions in builds.items()
    }
    plain = {variant: _by_plain_name(found.values()) for variant, found in names.items()}
    rows: list[dict[str, Any]] = []
    for key in sorted(set().union(*names.values())):
        having = [variant for variant in builds if key in names[variant]]
        absent = [variant for variant in builds if key not in names[variant]]
        if absent:
            same = (key[0], plain_name(key[1]))
            rows.append(
                {
                    "function": key[1],
                    "object": key[0],
                    "subsystem": names[having[0]][key].subsystem,
                    "in": having,
                    "absent": absent,
                    "as": {
                        variant: plain[variant][same]
                        for variant in absent
                        if same in plain[variant]
                    },
                }
            )
    return rows


def _by_plain_name(functions: Iterable[Function]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for function in functions:
        found.setdefault((function.object, plain_name(function.name)), []).append(function.name)
    return found

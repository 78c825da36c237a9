# SPDX-License-Identifier: GPL-2.0
"""The journal of a run: JSON lines, append-only; one header, then one line per finished boot.

Between them stand the looks of a run with a budget: what was decided, and which boots are left out
for it; and, where the first boots ran while kernels were still being built, a line that completes
the header when they are there. journal.schema.json states the shape of each kind of line. A line is
written with one write() and fsync(), so that a kill -9 can at worst leave the last line cut; the
reader skips exactly that line and says so.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from p2pbench.base.errors import BenchError
from p2pbench.base.paths import SCHEMAS
from p2pbench.base.schema import problem
from p2pbench.records.counts import KEYS, Functions, Name
from p2pbench.records.records import BootRecord, Header, LookRecord
from p2pbench.records.runs import named, names

SCHEMA = "p2pbench-journal-1"
SCHEMA_FILE = SCHEMAS / "journal.schema.json"
# What of the provenance is known only when all kernels have been built.
_OF_KERNELS = ("variants", "symbols")
# Lines that are of no boot.
_BESIDE_BOOTS = ("look", "kernels")
# What is read at a time, from the end of a journal, to find where its last line begins.
_BLOCK = 1 << 16


class JournalError(BenchError):
    """A journal that cannot be read or written; the text says which file, which line and why."""


@dataclass(frozen=True)
class Look:
    """A look, and the boots that stood in the journal before it."""

    record: LookRecord
    boots: list[BootRecord]


class Journal:
    """A journal file and what it holds.

    `header` is the first line, `boots` the last line of each boot in the order of the file,
    `repeated` the earlier lines of boots that were run again, `looks` the decisions in between,
    `notes` what the reader has to say.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.header = header
        self.repeated: list[BootRecord] = []
        self.looks: list[Look] = []
        self.notes: list[str] = []
        self._last: dict[str, BootRecord] = {}
        self._names: dict[Name, Name] = {}
        self._planned = {boot["boot"]: boot for boot in header["plan"]}

    @classmethod
    def create(cls, path: str | os.PathLike[str], header: Mapping[str, Any]) -> Journal:
        """Start a new journal with its header on disk.

        Raises JournalError when the file exists, the header is not of this schema, or the disk
        refuses it.
        """
        path = Path(path)
        record = _as_json(header)
        problem = _problem(record, "run")
        if problem:
            raise JournalError(f"{path}: refusing to write a header: {problem}")
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
        except FileExistsError:
            raise JournalError(
                f"{path}: exists already; go on with it by RESUME={named(path.parent)}"
            ) from None
        except OSError as error:
            raise JournalError(_not_created(path, error)) from error
        try:
            _append_line(path, _line(record), keep=0)
            _sync_directory(path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink()
            raise JournalError(_not_created(path, error)) from error
        return cls(path, cast(Header, record))

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Journal:
        """Read a journal.

        A last line without its end is skipped with a note in `notes`. Everything else that does
        not fit raises JournalError as "file:line: what".
        """
        path = Path(path)
        lines = _numbered_lines(path)
        number, line = next(lines, (1, b""))
        if not _is_whole(line):
            raise JournalError(
                f"{path}:1: no whole first line, so nothing was run; start a new run"
            )
        journal = cls(path, cast(Header, _parse(path, number, line, first=True)))
        for number, line in lines:
            if _is_whole(line):
                journal._read(_parse(path, number, line), f"{path}:{number}")
            else:
                journal.notes.append(
                    f"{path.name}:{number}: the last line was cut after {len(line)} bytes and is "
                    "skipped; the boot it belonged to counts as not run"
                )
        return journal

    def append(self, boot: Mapping[str, Any]) -> None:
        """Write the line of a finished boot and wait until it is on the disk.

        Raises JournalError when the boot is not of this schema or not in the plan (nothing is
        written), or when the disk is full (the file is as it was before).
        """
        record = _as_json(boot)
        problem = _problem(record, "boot")
        if problem:
            raise JournalError(f"{self.path}: refusing to write {boot.get('boot')}: {problem}")
        line = _line(record)
        self._check_planned(cast(BootRecord, record), str(self.path))
        self._keep_small(cast(BootRecord, record), str(self.path))
        self._append(line)
        self._take(cast(BootRecord, record))

    def append_kernels(self, provenance: Mapping[str, Any], static: Mapping[str, Any]) -> None:
        """Complete the header with what is known since the last kernel has been built."""
        record = _as_json({"type": "kernels", "provenance": provenance, "static": static})
        problem = _problem(record, "kernels")
        if problem:
            raise JournalError(f"{self.path}: refusing to write of the kernels: {problem}")
        self._append(_line(record))
        self._read(record, str(self.path))

    def append_look(self, look: LookRecord) -> None:
        """Write the line of a look and wait until it is on the disk."""
        record = _as_json(cast("Mapping[str, Any]", look))
        problem = _problem(record, "look")
        if problem:
            raise JournalError(f"{self.path}: refusing to write look {look['look']}: {problem}")
        self._append(_line(record))
        self._read(record, str(self.path))

    def _append(self, line: bytes) -> None:
        try:
            _append_line(self.path, line, keep=_whole_size(self.path))
        except OSError as error:
            raise JournalError(
                f"{self.path}: cannot append: {error.strerror}; the journal is whole up to the "
                f"boot before, so mend that and go on with RESUME={named(self.path.parent)}"
            ) from error

    @property
    def skipped(self) -> dict[str, str]:
        """The boots that a look has left out and that have not run, with the reason."""
        return {
            skip["boot"]: skip["reason"]
            for look in self.looks
            for skip in look.record["skipped"]
            if skip["boot"] not in self._last
        }

    @property
    def boots(self) -> list[BootRecord]:
        """The last line of each boot; it alone counts."""
        return list(self._last.values())

    @property
    def spent_s(self) -> float:
        """Seconds that the boots took, repeated ones included; what two share counts once."""
        return sum(boot.get("took_s", boot["duration_s"]) for boot in [*self.boots, *self.repeated])

    def finished(self) -> set[str]:
        """Names of the boots that need no repeat: ok or failed. Lost ones are run again."""
        return {name for name, boot in self._last.items() if boot["status"] != "lost"}

    def _read(self, record: dict[str, Any], where: str) -> None:
        if record["type"] == "look":
            for skip in record["skipped"]:
                if skip["boot"] not in self._planned:
                    raise JournalError(
                        f'{where}: boot "{skip["boot"]}" is not in the plan of this run'
                    )
            self.looks.append(Look(cast(LookRecord, record), self.boots))
        elif record["type"] == "kernels":
            # The rest is of when the run began, whoever went on with it.
            later = record["provenance"]
            self.header["provenance"] |= {key: later[key] for key in _OF_KERNELS if key in later}
            self.header["static"] = record["static"]
        else:
            self._check_planned(cast(BootRecord, record), where)
            self._keep_small(cast(BootRecord, record), where)
            self._take(cast(BootRecord, record))

    def _take(self, boot: BootRecord) -> None:
        earlier = self._last.pop(boot["boot"], None)
        if earlier is not None:
            self.repeated.append(earlier)
        self._last[boot["boot"]] = boot

    def _keep_small(self, boot: BootRecord, where: str) -> None:
        """Put the functions that the boot counted into few bytes."""
        for result in boot["workloads"]:
            counts = result.get("counts")
            if counts:
                try:
                    counts["functions"] = Functions(counts["functions"], self._names)
                except (KeyError, TypeError, OverflowError):
                    raise JournalError(
                        f"{where}: the functions of {result['name']}: expected objects with "
                        f"{', '.join(KEYS)} and the number per_io"
                    ) from None

    def _check_planned(self, boot: BootRecord, where: str) -> None:
        planned = self._planned.get(boot["boot"])
        if planned is None:
            raise JournalError(f'{where}: boot "{boot["boot"]}" is not in the plan of this run')
        said: Mapping[str, Any] = boot
        for key, value in planned.items():
            if said.get(key, value) != value:
                raise JournalError(
                    f'{where}: boot "{boot["boot"]}" says {key} {said[key]!r}, '
                    f"the plan says {value!r}: it is of another run, not of this one with seed "
                    f"{self.header['seed']}"
                )


def _not_created(path: Path, error: OSError) -> str:
    return f"{path}: cannot create: {error.strerror}; nothing was run, so mend that and start again"


def _no_journal(path: Path) -> str:
    if (path.parent / "report.json").is_file():
        return f"{path}: not there; a published run has its report and no journal"
    return f"{path}: not there; expected the directory of a run (there: {names()})"


def _numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a journal one by one: it may be larger than the memory it should take."""
    try:
        with path.open("rb") as file:
            yield from enumerate(file, start=1)
    except FileNotFoundError:
        raise JournalError(_no_journal(path)) from None
    except OSError as error:
        raise JournalError(f"{path}: cannot read: {error.strerror}") from error


def _is_whole(line: bytes) -> bool:
    """Whether nothing is missing from a line but perhaps its newline."""
    return line.endswith(b"\n") or _is_object(line)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(_loads(line), dict)
    except ValueError:
        return False


def _loads(line: bytes) -> Any:
    """What a line says. Raises ValueError, also for what Python alone takes for JSON."""

    def not_json(word: str) -> None:
        raise ValueError(f"{word} is no number")

    def finite(word: str) -> float:
        number = float(word)
        if math.isinf(number):
            raise ValueError(f"{word} is too large a number")
        return number

    try:
        return json.loads(line.decode("utf-8-sig"), parse_constant=not_json, parse_float=finite)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _parse(path: Path, number: int, line: bytes, first: bool = False) -> dict[str, Any]:
    try:
        record = _loads(line.removesuffix(b"\n"))
    except ValueError as error:
        raise JournalError(f"{path}:{number}: not a JSON line: {error}") from None
    kind = record.get("type") if isinstance(record, dict) else None
    if not first and kind == "run":
        raise JournalError(
            f"{path}:{number}: a second header, of run {record.get('run')} with seed "
            f"{record.get('seed')}: these are two journals in one file; a run has one plan and one "
            "seed, so keep each in a directory of its own"
        )
    problem = _problem(record, "run" if first else kind if kind in _BESIDE_BOOTS else "boot")
    if problem:
        raise JournalError(f"{path}:{number}: {problem}")
    return cast(dict[str, Any], record)


def _as_json(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record as a reader will see it (tuples become lists)."""
    try:
        return cast(dict[str, Any], json.loads(json.dumps(record, allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise JournalError(f"not a record for the journal: {error}") from error


def _problem(record: object, kind: str) -> str:
    """What is wrong with a record of this kind; "" when nothing is."""
    if not isinstance(record, Mapping):
        return "expected an object"
    if kind == "run" and record.get("schema") != SCHEMA:
        return f'schema "{record.get("schema")}" is not known here; this program reads "{SCHEMA}"'
    return problem(SCHEMA_FILE, kind, record)


def _whole_size(path: Path) -> int:
    """Bytes of the file up to and with its last whole line; -1 when that lacks its newline."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        rest = b""
        while size > len(rest) and b"\n" not in rest:
            file.seek(max(0, size - 2 * len(rest) - _BLOCK))
            rest = file.read()
    rest = rest.rpartition(b"\n")[2]
    return -1 if rest and _is_object(rest) else size - len(rest)


def _line(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace") + b"\n"  # the name of a file may be no text


def _append_line(path: Path, data: bytes, keep: int) -> None:
    """Append a line after `keep` bytes; what a kill left behind them is cut off first."""
    if keep < 0:
        keep, data = path.stat().st_size, b"\n" + data
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        os.ftruncate(fd, keep)
        written = 0
        while written < len(data):
            written += os.write(fd, data[written:])
        os.fsync(fd)
    except OSError:
        os.ftruncate(fd, keep)
        raise
    finally:
        os.close(fd)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

# SPDX-License-Identifier: GPL-2.0
"""Which run a user means: its name, or a path to its directory or to a file in it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from p2pbench.base.errors import BenchError
from p2pbench.base.paths import RESULTS, ROOT, shown

JOURNAL = "journal.jsonl"
_REPORTS = ("report.json", "report.md", "report.html", "junit.xml")
_MOST_NAMED = 5


def find_run(given: str) -> Path:
    """Return the directory of a run, as every command that takes one understands it.

    A name stands for a directory of results/, "results/name" too, wherever the results are; a path
    may be absolute or not, and may be that of the journal or a report. Raises BenchError with the
    runs that there are.
    """
    for place in _places(os.path.expanduser(given.strip())):
        directory = place.parent if place.name in (JOURNAL, *_REPORTS) else place
        if _is_run(directory):
            return directory.resolve()
    raise BenchError(
        f'no run "{given}": expected the name of a run or the path of its directory '
        f"(there: {names()})"
    )


def named(directory: Path) -> str:
    """Return what a user gives to find_run() for this directory, quoted for a shell."""
    inside = directory.resolve().parent == RESULTS
    return shlex.quote(directory.name if inside else shown(directory.resolve()))


def names() -> str:
    """Name the last runs that have a journal, for a message about one that is not there."""
    runs = sorted(path.parent.name for path in RESULTS.glob(f"*/{JOURNAL}"))
    more = f"{len(runs) - _MOST_NAMED} more, " if len(runs) > _MOST_NAMED else ""
    return more + ", ".join(runs[-_MOST_NAMED:]) if runs else "no run yet"


def _places(given: str) -> Iterator[Path]:
    """The paths that a spelling may stand for, the likeliest first."""
    path = Path(given)
    if not given:
        return
    yield RESULTS / path
    yield Path.cwd() / path
    yield ROOT / path
    if path.parts[:1] == ("results",):
        yield RESULTS.joinpath(*path.parts[1:])


def _is_run(directory: Path) -> bool:
    """Whether a directory has a journal, or the report of a published run."""
    return any(os.path.isfile(directory / name) for name in (JOURNAL, "report.json"))

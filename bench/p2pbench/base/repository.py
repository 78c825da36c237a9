# SPDX-License-Identifier: GPL-2.0
"""The commit that this checkout's sources are of, as git knows it; or that it is not known."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from p2pbench.base import program
from p2pbench.base.errors import BenchError
from p2pbench.base.paths import ROOT

NO_COMMIT = "unknown"
# What a run is made from. Files that git ignores are none of it.
_SOURCES = ("linux", "bench", "configs", "Makefile")
# No configuration of the user's, which could hide files, and no lock, which a run has no use for.
_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}


class _GitError(Exception):
    """git could not answer; the text says why."""


def state(root: Path = ROOT) -> dict[str, Any]:
    """Return commit and dirty of a checkout, and why they are not known if so.

    dirty: a tracked file has changed, or may have, as git was told not to look; or there is a
    source that git does not track. Where git cannot tell, the commit is "unknown", dirty is None,
    and "note" says why.
    """
    try:
        top = _git(root, "rev-parse", "--show-toplevel").strip()
        if Path(top).resolve() != root.resolve():
            raise _GitError(f"these sources are no repository, only part of the one in {top}")
        commit = _git(root, "rev-parse", "--verify", "HEAD").strip()
        return {"commit": commit, "dirty": _is_dirty(root)}
    except _GitError as error:
        return {"commit": NO_COMMIT, "dirty": None, "note": str(error)}


def _is_dirty(root: Path) -> bool:
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    # Of .git/info/exclude, which is the user's, no word.
    untracked = _git(
        root, "ls-files", "--others", "--exclude-per-directory=.gitignore", "--", *_SOURCES
    )
    return bool(changed or untracked or _unwatched(root))


def _unwatched(root: Path) -> list[str]:
    """The files whose changes git was told not to look for.

    git's tags are "S" for --skip-worktree, which a sparse checkout has of what is not there, and
    in lower case for --assume-unchanged.
    """
    entries = _git(root, "ls-files", "-v", "-z").split("\0")
    return [
        entry[2:]
        for entry in entries
        if entry[:1].islower() or entry[:1] == "S" and (root / entry[2:]).exists()
    ]


def _git(root: Path, *args: str) -> str:
    """Return what git prints about a checkout, whoever owns it."""
    try:
        done = program.run(
            "git",
            "-c",
            f"safe.directory={root.resolve()}",
            "-c",
            "core.fsmonitor=false",
            *args,
            cwd=root,
            extra=_ENVIRONMENT,
        )
    except (BenchError, OSError) as error:
        raise _GitError(str(error)) from None
    if done.returncode:
        raise _GitError(f"git {args[0]}: {program.why(done.stderr)}")
    return done.stdout

# SPDX-License-Identifier: GPL-2.0
"""A git tree that the user has, which a kernel is built from; it is only read, never written to."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from p2pbench.base.errors import BenchError
from p2pbench.base.program import run, why

# A user's configuration changes no answer. Above the tree no repository is looked for, a status
# renews no index, and starts no daemon that watches files.
_GIT = ("git", "--no-optional-locks", "-c", "safe.directory=*", "-c", "core.fsmonitor=false")
_VARIABLES = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
# What stands in for `git upload-pack` when a commit is fetched that may be no branch's last one.
# To look for deltas between the files of a kernel takes minutes, and saves room for hours.
UPLOAD_PACK = (
    "git -c 'safe.directory=*' -c uploadpack.allowAnySHA1InWant=true -c pack.window=0 upload-pack"
)
_MOST_FILES = 5
_SHORT = 12


@dataclass(frozen=True)
class OwnTree:
    """A revision of a user's git tree: its name, and what it is.

    tree is the directory as the user wrote it, commit what rev was when it was looked at, object
    the id of the commit's content.
    """

    tree: str
    rev: str
    commit: str
    object: str

    @property
    def directory(self) -> Path:
        """Where the tree is."""
        return _directory(self.tree)

    def __str__(self) -> str:
        return f"{self.tree} at {self.rev} ({self.commit[:_SHORT]})"


def resolve(tree: str, rev: str) -> OwnTree:
    """Return what a revision of a tree is now. Raises BenchError where there is none."""
    directory = _directory(tree)
    if not directory.is_dir():
        raise BenchError(f"{tree}: no such directory")
    repository = _git(directory, "rev-parse", "--git-dir")
    if repository.returncode:
        raise BenchError(f"{tree}: no git repository: {why(repository.stderr)}")
    commit = _id(directory, f"{rev}^{{commit}}") if not rev.startswith("-") else ""
    if not commit:
        raise BenchError(
            f'{tree}: unknown revision "{rev}"; a branch, a tag or a commit of that '
            "repository is allowed"
        )
    return OwnTree(tree, rev, commit, _id(directory, f"{commit}^{{tree}}"))


def check_committed(own: OwnTree) -> None:
    """Raise BenchError when the revision is checked out with changes that are not committed.

    They would not be built. Of another revision than the one that is checked out they are none.
    """
    is_checked_out = _id(own.directory, "HEAD") == own.commit
    files = _changed_files(own.directory) if is_checked_out else []
    if not files:
        return
    more = len(files) - _MOST_FILES
    listed = ", ".join(files[:_MOST_FILES]) + (f" and {more} more" if more > 0 else "")
    raise BenchError(
        f"{own.tree} has changes that are not committed, on top of {own.rev}, and "
        f"only what is committed is built: {listed}; commit them there, or put them "
        "aside with `git stash`"
    )


def _directory(tree: str) -> Path:
    return Path(os.path.expanduser(tree)).absolute()


def _git(directory: Path, *args: str) -> subprocess.CompletedProcess[str]:
    above = {"GIT_CEILING_DIRECTORIES": str(directory.resolve().parent)}
    return run(*_GIT, *args, cwd=directory, extra=_VARIABLES | above)


def _id(directory: Path, rev: str) -> str:
    """Return the id of an object, "" if there is none of that name."""
    return _git(directory, "rev-parse", "-q", "--verify", rev).stdout.strip()


def _changed_files(directory: Path) -> list[str]:
    """Return the files that git knows and that differ from HEAD; a bare repository has none."""
    if _git(directory, "rev-parse", "--is-inside-work-tree").stdout.strip() != "true":
        return []
    status = _git(
        directory, "status", "--porcelain", "-z", "-uno", "--no-renames", "--ignore-submodules"
    )
    if status.returncode:
        raise BenchError(f"git status in {directory} failed: {why(status.stderr)}")
    return [entry[len("XY ") :] for entry in status.stdout.split("\0") if entry]

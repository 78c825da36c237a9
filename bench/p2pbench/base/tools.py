# SPDX-License-Identifier: GPL-2.0
"""What is built of our own C, and how a file is told from another one."""

import hashlib
from pathlib import Path

from p2pbench.base.errors import BenchError
from p2pbench.base.lock import locked
from p2pbench.base.paths import BUILD
from p2pbench.base.program import run, why


def file_sha256(path: Path) -> str:
    """Return the hex sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def run_make(directory: Path, what: str, out: Path, *args: str) -> None:
    """Run make in a directory of ours, into out, and say in one line why it fails."""
    with locked("tools", BUILD) as hold:
        done = run("make", "-s", "-C", directory, f"O={out}", *args, hold=(hold,))
    if done.returncode:
        raise BenchError(f"{what} does not build: {why(done.stderr)}")

# SPDX-License-Identifier: GPL-2.0
"""One process at a time makes a thing of the cache."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from p2pbench.base.errors import BenchError
from p2pbench.base.paths import cache_dir


@contextlib.contextmanager
def locked(name: str, directory: Path | None = None) -> Iterator[int]:
    """Let one process at a time make the thing of that name in a directory, by default the cache.

    Yields the lock's file descriptor: a program that is given it (program.run's hold) keeps the
    lock until it ends, even if it should outlive this process. Not reentrant. Raises BenchError
    if the directory cannot be written to.
    """
    path = (directory or cache_dir()) / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a")
    except OSError as error:
        cure = (
            "mend that" if directory else "set P2PBENCH_CACHE to a directory that you can write to"
        )
        what = "" if directory else "the cache "
        raise BenchError(f"cannot write to {what}{path.parent}: {error.strerror}; {cure}") from None
    with stream:
        if not _take(stream, fcntl.LOCK_EX):
            print(f"waiting for another process that makes the {name}", flush=True)
            fcntl.flock(stream, fcntl.LOCK_EX)
        stream.truncate(0)
        yield stream.fileno()


def content_if_held(name: str) -> str:
    """Return what the holder of a lock has written into its file; "" when nobody holds it."""
    try:
        with (cache_dir() / f"{name}.lock").open() as stream:
            return "" if _take(stream, fcntl.LOCK_SH) else stream.read()
    except OSError:
        return ""


def _take(stream: IO[str], kind: int) -> bool:
    """Take a lock of that kind if nobody holds one against it; say whether it was taken."""
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

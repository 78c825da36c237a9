"""One process at a time makes a thing of the cache."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .errors import BenchError
from .paths import cache_dir


@contextlib.contextmanager
def locked(name: str) -> Iterator[int]:
    """Let one process at a time make the thing of that name.

    Yields the lock's file descriptor: a program that is given it (program.run's hold) keeps the
    lock until it ends, even if it should outlive this process. Not reentrant. Raises BenchError
    if the cache cannot be written to.
    """
    path = _path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a")
    except OSError as error:
        raise BenchError(f"cannot write to the cache {path.parent}: {error.strerror}; set "
                         "P2PBENCH_CACHE to a directory that you can write to") from None
    with stream:
        if not _take(stream):
            print(f"waiting for another process that makes the {name}", flush=True)
            fcntl.flock(stream, fcntl.LOCK_EX)
        stream.truncate(0)
        yield stream.fileno()


def content_if_held(name: str) -> str:
    """Return what the holder of a lock has written into its file; "" when nobody holds it."""
    try:
        with _path(name).open() as stream:
            return "" if _take(stream) else stream.read()
    except OSError:
        return ""


def _path(name: str) -> Path:
    return cache_dir() / f"{name}.lock"


def _take(stream: IO[str]) -> bool:
    """Take a lock if nobody holds it; say whether it was taken."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

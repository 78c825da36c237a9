"""One process at a time makes a thing of the cache."""

import contextlib
import fcntl
from collections.abc import Iterator

from .errors import BenchError
from .paths import cache_dir


@contextlib.contextmanager
def locked(name: str) -> Iterator[int]:
    """Let one process at a time make the thing of that name.

    Yields the lock's file descriptor: a program that is given it (program.run's hold) keeps the
    lock until it ends, even if it should outlive this process. Not reentrant. Raises BenchError
    if the cache cannot be written to.
    """
    directory = cache_dir()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        stream = (directory / f"{name}.lock").open("w")
    except OSError as error:
        raise BenchError(f"cannot write to the cache {directory}: {error.strerror}; set "
                         "P2PBENCH_CACHE to a directory that you can write to") from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that makes the {name}", flush=True)
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream.fileno()

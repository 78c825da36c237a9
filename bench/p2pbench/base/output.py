# SPDX-License-Identifier: GPL-2.0
"""Standard streams that take everything: a run does not end because nobody can read of it."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from typing import Any, TextIO

_STDIN, _STDOUT, _STDERR = 0, 1, 2


class _Lenient(io.FileIO):
    """A stream that is written to as long as that works; what comes after is dropped."""

    lost: OSError | None = None

    def write(self, data: Any) -> int:
        """Write some of data and return how much; all of it once the stream is lost."""
        while not self.lost:
            try:
                written = super().write(data)
            except OSError as error:
                self.lost = error
                self._tell(error)
                break
            if written is not None:
                return written
            select.select([], [self.fileno()], [])  # somebody made the terminal non-blocking
        return memoryview(data).nbytes

    def _tell(self, error: OSError) -> None:
        """Say once on standard error why nothing more comes; who closed a pipe knows."""
        if self.fileno() == _STDOUT and error.errno != errno.EPIPE:
            with contextlib.suppress(OSError):
                os.write(
                    _STDERR,
                    f"standard output: {error.strerror}; what follows is not shown\n".encode(),
                )


_STREAMS: dict[int, _Lenient] = {}


def keep_going() -> None:
    """Make standard output and error take everything, also when they were closed or are full."""
    for number in (_STDIN, _STDOUT, _STDERR):
        try:
            os.fstat(number)
        except OSError:
            # A file that is opened next would get the number, and what is printed.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdin = sys.stdin or open(_STDIN, encoding="utf-8", closefd=False)
    sys.stdout = _stream(_STDOUT, sys.stdout)
    sys.stderr = _stream(_STDERR, sys.stderr)


def is_lost() -> bool:
    """Say whether what was printed could not be written, other than to a pipe that was closed."""
    stream = _STREAMS.get(_STDOUT)
    return bool(stream and stream.lost and stream.lost.errno != errno.EPIPE)


def _stream(number: int, before: TextIO | None) -> TextIO:
    if before:
        with contextlib.suppress(OSError):
            before.flush()
    _STREAMS[number] = _Lenient(number, "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(_STREAMS[number]),
        errors="replace",
        encoding=before.encoding if before else "utf-8",
        line_buffering=True,
    )

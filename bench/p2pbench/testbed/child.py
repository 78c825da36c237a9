# SPDX-License-Identifier: GPL-2.0
"""A machine that is a child process of the harness: a guest, or the agent itself."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from p2pbench.testbed.channel import Channel, ChannelLost
from p2pbench.testbed.machine import LostMachine, Pace


class ChildMachine:
    """What both have of a Machine; a context manager that ends it whatever happens inside."""

    def __init__(self, pace: Pace, console: Path) -> None:
        self.console = console
        self.boot_s = 0.0
        self.command: list[str] = []
        self._pace = pace
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        ours, self._theirs = socket.socketpair()
        self.channel = Channel(ours)
        self.channel.scale = pace.scale

    def __enter__(self) -> Self:
        try:
            self._process = self._start()
            if self._killed:
                self._process.kill()
            self._wait_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def kill(self) -> None:
        """End it from another thread, started or not; for the one that runs it, it is lost."""
        self._killed = True
        if self._process:
            self._process.kill()

    def lost(self, error: ChannelLost) -> LostMachine:
        """Return why its agent does not answer any more."""
        raise NotImplementedError

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the process at the other end of the channel, which it has alone then."""
        raise NotImplementedError

    def _end(self) -> None:
        """End the process, if there is one, and wait until it has ended."""
        raise NotImplementedError

    def _wait_ready(self) -> None:
        started = time.monotonic()
        try:
            self.channel.wait_ready(self._pace.boot_deadline_s())
        except ChannelLost as error:
            raise self.lost(error) from None
        self.boot_s = time.monotonic() - started

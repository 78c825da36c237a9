# SPDX-License-Identifier: GPL-2.0
"""An end from outside: SIGINT (Ctrl-C), SIGTERM and SIGHUP end the harness in one way.

The first one raises Ended wherever the program is, so that what it started is ended and what there
is can be written. A second one ends the program at once; the kernel then kills its guests and
programs (program.py). The exit status is a shell's: 130, 143 and 129.
"""

from __future__ import annotations

import contextlib
import os
import signal
import termios
import time
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# One end is told more than once: make passes on what its whole group got, and a login session is
# ended by SIGTERM and SIGHUP together.
_ONE_END_S = 0.5
_SHOW_CURSOR = "\x1b[?25h"


class Ended(KeyboardInterrupt):
    """The program was told to end; the text names the signal."""

    def __init__(self, number: int) -> None:
        self.status = 128 + number
        super().__init__(f"ended by {signal.Signals(number).name}")


class _State:
    """What has come so far, and how the terminal was before the program changed it."""

    first: Ended | None = None
    first_s = 0.0
    terminal: list[Any] | None = None


def catch() -> None:
    """From now on the first signal raises Ended in the main thread, the second ends at once.

    A signal that is ignored stays so: nohup means it.
    """
    with contextlib.suppress(termios.error, OSError):
        _State.terminal = termios.tcgetattr(0)
    _handle(_first)


def end_at_once() -> None:
    """From now on the first signal ends the program: there is nothing that it could still keep."""
    _handle(_at_once)


def ended() -> Ended | None:
    """Return what the program was ended by, None as long as it was not."""
    return _State.first


def _handle(handler: Any) -> None:
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _first(number: int, _frame: FrameType | None) -> None:
    if _State.first and time.monotonic() - _State.first_s < _ONE_END_S:
        return
    if _State.first:
        _at_once(number, None)
    _State.first = Ended(number)
    _State.first_s = time.monotonic()
    raise _State.first


def _at_once(number: int, _frame: FrameType | None) -> None:
    """End without a word of Python's; only the terminal is left as it was."""
    ended_by = _State.first or Ended(number)
    with contextlib.suppress(termios.error, OSError):
        # In the background the terminal is another's, and would stop this program.
        if _State.terminal and os.tcgetpgrp(0) == os.getpgrp():
            termios.tcsetattr(0, termios.TCSANOW, _State.terminal)
        if os.isatty(1):
            os.write(1, _SHOW_CURSOR.encode())
    with contextlib.suppress(OSError):
        os.write(2, f"{ended_by}\n".encode())
    os._exit(ended_by.status)

# SPDX-License-Identifier: GPL-2.0
"""How far the build of a kernel is: on a terminal all the time, in a log once a minute.

What is being built is written into the lock that is held for it, so that another process, which
waits for it or runs tests meanwhile, can tell, too.
"""

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from p2pbench.base.lock import content_if_held
from p2pbench.base.units import in_words

# What make prints of each object that it makes from a source.
_OBJECT = re.compile(r"^  (?:CC|AS)\b", re.M)
_TERMINAL_S = 1.0
_LOG_S = 60.0


def objects_in(log: Path) -> int:
    """Return how many objects a log of make names."""
    try:
        return len(_OBJECT.findall(log.read_text(errors="replace")))
    except OSError:
        return 0


def line(label: str, done: int, total: int, elapsed_s: float) -> str:
    """Return the line for so many objects of about so many, after so many seconds."""
    text = f"{label}: {done:,} of about {max(total, done):,} objects"
    if done >= total:
        return f"{text}, linking"
    if not done:
        return text
    left_s = elapsed_s / done * (total - done)
    return f"{text}, about {in_words(left_s)} left"


def announce(hold: int, label: str, log: Path, total: int) -> None:
    """Write what is being built into the lock that is held for it: file descriptor hold."""
    text = json.dumps({"label": label, "log": str(log), "total": total, "started": time.time()})
    os.ftruncate(hold, 0)
    os.pwrite(hold, text.encode(), 0)


def current() -> str:
    """Return the line of the kernel that some process is building now; "" when none is."""
    try:
        build = json.loads(content_if_held("kernels"))
        return line(
            build["label"],
            objects_in(Path(build["log"])),
            build["total"],
            time.time() - build["started"],
        )
    except ValueError:
        return ""


@contextlib.contextmanager
def every_minute(say: Callable[[str], None]) -> Iterator[None]:
    """Say how far the kernel is that is being built, once a minute while there is one."""

    def say_current() -> None:
        text = current()
        if text:
            say(text)

    with _repeated(say_current, _LOG_S):
        yield


@contextlib.contextmanager
def shown() -> Iterator[None]:
    """Show how far the kernel is that is being built: a line that stays, or one a minute."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        with every_minute(lambda text: print(text, flush=True)):
            yield
        return
    with console.status(current()) as status:
        with _repeated(lambda: status.update(current()), _TERMINAL_S):
            yield


@contextlib.contextmanager
def _repeated(action: Callable[[], object], interval_s: float) -> Iterator[None]:
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(interval_s):
            action()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()

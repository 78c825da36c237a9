"""How far the build of a kernel is: on a terminal all the time, in a log once a minute."""

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

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
    return f"{text}, about {left_s // 60:.0f} min {left_s % 60:02.0f} s left"


@contextlib.contextmanager
def shown_from(log: Path, label: str, total: int) -> Iterator[None]:
    """Show how far a build is while it runs; log is what its make prints."""
    console = Console(highlight=False, soft_wrap=True)
    ended = threading.Event()
    started = time.monotonic()

    def text() -> str:
        return line(label, objects_in(log), total, time.monotonic() - started)

    def on_terminal() -> None:
        with console.status(text()) as status:
            while not ended.wait(_TERMINAL_S):
                status.update(text())

    def in_log() -> None:
        while not ended.wait(_LOG_S):
            print(text(), flush=True)

    thread = threading.Thread(target=on_terminal if console.is_terminal else in_log, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()

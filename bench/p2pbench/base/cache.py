# SPDX-License-Identifier: GPL-2.0
"""What the cache holds, how large it is, when it was last used; and how to make it smaller."""

import contextlib
import fcntl
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from p2pbench.base.paths import cache_dir
from p2pbench.base.units import GIB

# The directories of the cache, and what an entry of each is called.
KINDS = {
    "kernels": "kernel",
    "images": "guest image",
    "base": "base source",
    "plugins": "QEMU plugin",
}
# The lock that is held while an entry of a directory is made, if there is one.
_LOCKS = {"kernels": "kernels", "images": "image", "base": "base"}
_MIB = 1 << 20
_DAY_S = 24 * 3600.0


@dataclass(frozen=True)
class Entry:
    """One thing in the cache: bytes on the disk, and the times (s) it was made and last used.

    lock is the file that a process holds a lock of as long as it needs the entry.
    """

    kind: str
    path: Path
    size: int
    made: float
    used: float
    lock: Path


# The locks of what this process uses; they end with it.
_in_use: dict[Path, int] = {}


def use(path: Path) -> None:
    """Note that an entry is used now, and keep it from being pruned as long as this process lives.

    A cache that cannot be written to only means that nothing is noted.
    """
    with contextlib.suppress(OSError):
        mark = path.with_name(f".{path.name}.used")
        mark.touch()
        if path not in _in_use:
            descriptor = os.open(mark, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            _in_use[path] = descriptor


def entries() -> list[Entry]:
    """Return what the cache holds, what was used longest ago first."""
    listed = []
    for directory in KINDS:
        for path in (cache_dir() / directory).glob("*"):
            if not path.name.endswith(".used"):
                # Another process may have removed it meanwhile.
                with contextlib.suppress(FileNotFoundError):
                    listed.append(_entry(directory, path))
    return sorted(listed, key=lambda entry: entry.used)


def _entry(directory: str, path: Path) -> Entry:
    """Return the entry of a path; what a process that was killed had only begun is one, too."""
    kind, mark = KINDS[directory], path.with_name(f".{path.name}.used")
    made = path.lstat().st_mtime
    if path.name.startswith(".") or path.suffix == ".new":
        lock = _LOCKS.get(directory)
        return Entry(
            f"unfinished {kind}",
            path,
            _size(path),
            made,
            made,
            cache_dir() / f"{lock}.lock" if lock else mark,
        )
    used = mark.stat().st_mtime if mark.exists() else made
    return Entry(kind, path, _size(path), made, used, mark)


def _size(path: Path) -> int:
    """Return the bytes that a file or a directory takes on the disk; of a link, its own."""
    files = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    size = 0
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            size += file.lstat().st_blocks * 512
    return size


def prune(limit: int) -> tuple[list[Entry], list[Entry]]:
    """Remove what was used longest ago until the cache has at most limit bytes.

    Returns what was removed, and what is too much but in use by a process and was left.
    """
    listed = entries()
    total = sum(entry.size for entry in listed)
    removed, busy = [], []
    for entry in listed:
        if total <= limit:
            break
        if _remove(entry):
            removed.append(entry)
            total -= entry.size
        else:
            busy.append(entry)
    return removed, busy


def _remove(entry: Entry) -> bool:
    """Remove an entry unless a process uses it; say whether it was removed."""
    with entry.lock.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        # Under another name first: half a kernel must not look like one.
        doomed = entry.path.with_name(f".{entry.path.name}.{os.getpid()}.doomed")
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            entry.path.rename(doomed)
            if doomed.is_dir() and not doomed.is_symlink():
                shutil.rmtree(doomed)
            else:
                doomed.unlink()
        entry.path.with_name(f".{entry.path.name}.used").unlink(missing_ok=True)
    return True


def lines(listed: list[Entry]) -> list[str]:
    """Return a line for each entry: size, how long ago it was made and used, kind and name."""
    now = time.time()
    return [
        f"{entry.size / _MIB:8.1f} MiB  made {_ago(now - entry.made):>10}  "
        f"used {_ago(now - entry.used):>10}  {entry.kind} {entry.path.name}"
        for entry in listed
    ]


def _ago(seconds: float) -> str:
    if seconds < _DAY_S:
        return f"{max(seconds, 0) / 3600:.0f} h ago"  # the clock may have been set back
    return f"{seconds / _DAY_S:.0f} d ago"


def size_of(path: Path) -> str:
    """Return how much a directory takes on the disk, in words; "nothing" when it is not there."""
    return f"{_size(path) / GIB:.1f} GiB" if path.exists() else "nothing"

"""How much memory a process of this machine can have: what is built in, and what it is limited to.

A container sees all of the machine's memory and may have a part of it: the limits of its control
groups, of version 1 or 2, say how much.
"""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc/self")


@dataclass(frozen=True)
class Limit:
    """So many bytes of memory, and in the words of a sentence what sets them."""

    size: int
    source: str


def host_memory() -> int:
    """Return the bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def memory() -> Limit:
    """Return the smallest of all that limits the memory of the harness and its guests."""
    limits = [Limit(host_memory(), "this machine has"), *_address_space(), *_control_groups(_PROC)]
    return min(limits, key=lambda limit: limit.size)


def _address_space() -> list[Limit]:
    size, _ = resource.getrlimit(resource.RLIMIT_AS)
    return [] if size == resource.RLIM_INFINITY else [Limit(size, "`ulimit -v` allows")]


def _control_groups(proc: Path) -> list[Limit]:
    """Return the limits of the control groups that a process is in, from its own group up."""
    limits = []
    for mount, root, file in _hierarchies(proc / "mountinfo"):
        group = _group(proc / "cgroup", file)
        # In a container the mount may begin at its own group, or its groups may begin at "/".
        below = group.relative_to(root) if group.is_relative_to(root) else Path()
        for directory in (mount / below, *(mount / parent for parent in below.parents)):
            size = _read(directory / file)
            if size is not None:
                limits.append(Limit(size, f"{directory / file} allows"))
    return limits


def _hierarchies(mountinfo: Path) -> list[tuple[Path, Path, str]]:
    """Return where groups that limit memory are mounted, what of them, and the limit's file."""
    hierarchies = []
    for line in _lines(mountinfo):
        mounted, _, filesystem = line.partition(" - ")
        root, mount = (Path(word) for word in mounted.split()[3:5])
        kind, _, options = filesystem.split(maxsplit=2)
        if kind == "cgroup2":
            hierarchies.append((mount, root, "memory.max"))
        elif kind == "cgroup" and "memory" in options.split(","):
            hierarchies.append((mount, root, "memory.limit_in_bytes"))
    return hierarchies


def _group(cgroup: Path, file: str) -> Path:
    """Return the group of a process in the hierarchy whose limits are in files of that name."""
    controller = "" if file == "memory.max" else "memory"
    for line in _lines(cgroup):
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return Path(path)
    return Path("/")


def _read(path: Path) -> int | None:
    """Return the bytes that a file of a control group allows, None for "max" and for no file."""
    words = "".join(_lines(path)).strip()
    return int(words) if words.isdecimal() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []

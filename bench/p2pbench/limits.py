"""How much memory a process of this machine can have: what is built in, and what it is limited to.

A container sees all of the machine's memory and may have a part of it: the limits of its control
groups, of version 1 or 2, say how much.
"""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc/self")
# The harness itself and QEMU's own memory beside the guest's.
_HARNESS = 384 << 20
# What QEMU maps beside the guest's memory, most of it without ever using it: 1.3 GiB were seen.
_MAPPED = 1536 << 20


@dataclass(frozen=True)
class Limit:
    """So many bytes of memory, in the words of a sentence what sets them, and for whom they are.

    beside is what they hold beside guests; each process has its own, or all have them together.
    """

    size: int
    source: str
    beside: int = _HARNESS
    each: bool = False

    def room(self, guests: int) -> int:
        """Return the bytes that each of so many guests, run at once, can have."""
        return (self.size - self.beside) // (1 if self.each else guests)


def host_memory() -> int:
    """Return the bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def memory() -> list[Limit]:
    """Return all that limits the memory of the harness and its guests."""
    machine = Limit(host_memory(), "this machine has")
    return [machine, *_address_space(), *control_groups(_PROC)]


def _address_space() -> list[Limit]:
    size, _ = resource.getrlimit(resource.RLIMIT_AS)
    return [] if size == resource.RLIM_INFINITY else \
        [Limit(size, "`ulimit -v` allows", _MAPPED, each=True)]


def control_groups(proc: Path) -> list[Limit]:
    """Return the limits of the control groups that a process is in, from its own group up."""
    limits = []
    for mount, root, file in hierarchies(proc / "mountinfo"):
        group = group_of(proc / "cgroup", file)
        # In a container the mount may begin at its own group, or its groups may begin at "/".
        below = group.relative_to(root) if group.is_relative_to(root) else Path()
        for directory in (mount / below, *(mount / parent for parent in below.parents)):
            size = _read(directory / file)
            if size is not None:
                limits.append(Limit(size, f"{directory / file} allows"))
    return limits


def hierarchies(mountinfo: Path) -> list[tuple[Path, Path, str]]:
    """Return where groups that limit memory are mounted, what of them, and the limit's file."""
    hierarchies = []
    for line in lines_of(mountinfo):
        mounted, _, filesystem = line.partition(" - ")
        root, mount = (Path(word) for word in mounted.split()[3:5])
        kind, _, options = filesystem.split(" ", 2)  # what is mounted may have no name
        if kind == "cgroup2":
            hierarchies.append((mount, root, "memory.max"))
        elif kind == "cgroup" and "memory" in options.split(","):
            hierarchies.append((mount, root, "memory.limit_in_bytes"))
    return hierarchies


def group_of(cgroup: Path, file: str) -> Path:
    """Return the group of a process in the hierarchy whose limits are in files of that name."""
    controller = "" if file == "memory.max" else "memory"
    for line in lines_of(cgroup):
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return Path(path)
    return Path("/")


def _read(path: Path) -> int | None:
    """Return the bytes that a file of a control group allows, None for "max" and for no file."""
    words = "".join(lines_of(path)).strip()
    return int(words) if words.isdecimal() else None


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file, none where there is no such file."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []

# SPDX-License-Identifier: GPL-2.0
"""How much memory and how many CPUs a process of this machine can have: what is built in, and what
it is limited to.

A container sees all of the machine and may have a part of it: the limits of its control groups, of
version 1 or 2, say how much.
"""

import math
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc/self")
# By controller, the file of a group's limit in version 2 and in version 1.
_FILES = {"memory": ("memory.max", "memory.limit_in_bytes"), "cpu": ("cpu.max", "cpu.cfs_quota_us")}
# The harness itself and QEMU's own memory beside the guest's.
_HARNESS = 384 << 20
# What QEMU maps beside the guest's memory, most of it without ever using it: 1.3 GiB were seen.
_MAPPED = 1536 << 20
# What a shell can limit of a process's memory. All but shared memory is "data".
_OF_PROCESSES = {
    "`ulimit -v` allows": resource.RLIMIT_AS,
    "`ulimit -d` allows": resource.RLIMIT_DATA,
}


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
    return [machine, *_of_processes(), *control_groups(_PROC)]


def file_size() -> int | None:
    """Return the bytes that a file may have, a memory file too; None for no limit."""
    size, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if size == resource.RLIM_INFINITY else size


def _of_processes() -> list[Limit]:
    sizes = {source: resource.getrlimit(number)[0] for source, number in _OF_PROCESSES.items()}
    return [
        Limit(size, source, _MAPPED, each=True)
        for source, size in sizes.items()
        if size != resource.RLIM_INFINITY
    ]


def control_groups(proc: Path) -> list[Limit]:
    """Return the limits of the control groups that a process is in, from its own group up."""
    sizes = {path: _read(path) for path in _files(proc, "memory")}
    return [Limit(size, f"{path} allows") for path, size in sizes.items() if size is not None]


def cpus(proc: Path = _PROC) -> int:
    """Return how many CPUs a process and its children can keep busy, at least 1."""
    allowed = (_quota(path) for path in _files(proc, "cpu"))
    return max(1, math.floor(min([len(os.sched_getaffinity(0)), *allowed])))


def _files(proc: Path, controller: str) -> Iterator[Path]:
    """The files that may limit a process, from its own group up."""
    for mount, root, file in hierarchies(proc / "mountinfo", controller):
        group = group_of(proc / "cgroup", file)
        # In a container the mount may begin at its own group, or its groups may begin at "/".
        below = group.relative_to(root) if group.is_relative_to(root) else Path()
        for directory in (mount / below, *(mount / parent for parent in below.parents)):
            yield directory / file


def hierarchies(mountinfo: Path, controller: str = "memory") -> list[tuple[Path, Path, str]]:
    """Return where groups with a controller are mounted, what of them, and the limit's file."""
    second, first = _FILES[controller]
    hierarchies = []
    for line in lines_of(mountinfo):
        mounted, _, filesystem = line.partition(" - ")
        root, mount = (Path(word) for word in mounted.split()[3:5])
        kind, _, options = filesystem.split(" ", 2)  # what is mounted may have no name
        if kind == "cgroup2":
            hierarchies.append((mount, root, second))
        elif kind == "cgroup" and controller in options.split(","):
            hierarchies.append((mount, root, first))
    return hierarchies


def group_of(cgroup: Path, file: str) -> Path:
    """Return the group of a process in the hierarchy whose limits are in files of that name."""
    controller = "" if file.endswith(".max") else file.partition(".")[0]
    for line in lines_of(cgroup):
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return Path(path)
    return Path("/")


def _read(path: Path) -> int | None:
    """Return the bytes that a file of a control group allows, None for "max" and for no file."""
    words = "".join(lines_of(path)).strip()
    return int(words) if words.isdecimal() else None


def _quota(path: Path) -> float:
    """Return how many CPUs a control group may use; infinite for no limit and for no file."""
    words = "".join(lines_of(path)).split()
    if path.name == "cpu.cfs_quota_us":
        words += "".join(lines_of(path.with_name("cpu.cfs_period_us"))).split()
    limited = len(words) == 2 and words[0].isdecimal()
    return int(words[0]) / int(words[1]) if limited else math.inf


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file, none where there is no such file."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []

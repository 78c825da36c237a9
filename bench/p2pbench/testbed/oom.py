# SPDX-License-Identifier: GPL-2.0
"""Whether the kernel ended a program because memory ran out, and whose limit that was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from p2pbench.testbed import limits

_PROC = Path("/proc")
# By the file of a hierarchy's limit, the one that counts what the kernel killed in a group.
_COUNTERS = {"memory.max": "memory.events", "memory.limit_in_bytes": "memory.oom_control"}


class OomWatch:
    """How often the kernel has killed for want of memory, from now on.

    What QEMU is killed by looks the same from outside, whoever did it.
    """

    def __init__(self, proc: Path = _PROC) -> None:
        self._proc = proc
        self._group = self._group_kills()
        self._machine = _count(proc / "vmstat")

    def explanation(self) -> str:
        """Why something may have been killed since then, in words; "" if not for memory."""
        if self._group_kills() > self._group:
            return self._limit()
        if _count(self._proc / "vmstat") > self._machine:
            return "this machine ran out of memory"
        return ""

    def _limit(self) -> str:
        groups = limits.control_groups(self._proc / "self")
        least = min((limit.size for limit in groups), default=limits.host_memory())
        if least >= limits.host_memory():
            return "this machine ran out of memory"
        return (
            f"the memory limit of this container or control group ({least >> 20} MiB) was "
            "reached; give it more, or leave out what needs so much"
        )

    def _group_kills(self) -> int:
        return sum(_count(path) for path in self._counters())

    def _counters(self) -> Iterator[Path]:
        own = self._proc / "self"
        for mount, root, file in limits.hierarchies(own / "mountinfo"):
            group = limits.group_of(own / "cgroup", file)
            below = group.relative_to(root) if group.is_relative_to(root) else Path()
            yield mount / below / _COUNTERS[file]


def _count(path: Path) -> int:
    """The number behind "oom_kill" in a file of counters, 0 where the kernel has none."""
    for line in limits.lines_of(path):
        words = line.split()
        if words[:1] == ["oom_kill"] and words[1:]:
            return int(words[1])
    return 0

# SPDX-License-Identifier: GPL-2.0
"""A guest that the kernel kills for want of memory is told from one that somebody killed."""

from pathlib import Path

import pytest

from p2pbench.testbed import limits
from p2pbench.testbed.oom import OomWatch

V1 = "35 31 0:32 {root} {mount} rw,relatime - cgroup cgroup rw,memory\n"
V2 = "35 31 0:32 {root} {mount} rw,relatime - cgroup2 cgroup2 rw\n"


class Machine:
    """Files as the kernel shows them to a process in a control group."""

    def __init__(
        self, directory: Path, version: int, group: str, root: str = "/", limit: str = "314572800"
    ) -> None:
        self.proc = directory / "proc"
        self._names = (
            ("memory.events", "memory.max")
            if version == 2
            else ("memory.oom_control", "memory.limit_in_bytes")
        )
        mount = directory / "cgroup"
        self.group = mount / group.removeprefix(root).lstrip("/")
        self.group.mkdir(parents=True)
        (self.proc / "self").mkdir(parents=True)
        (self.proc / "self" / "mountinfo").write_text(
            (V2 if version == 2 else V1).format(root=root, mount=mount)
        )
        (self.proc / "self" / "cgroup").write_text(
            f"0::{group}\n" if version == 2 else f"9:name=systemd:/\n4:memory:{group}\n0::/\n"
        )
        (self.group / self._names[1]).write_text(f"{limit}\n")
        self.kills(0, 0)

    def kills(self, group: int, machine: int) -> None:
        """Say how often the kernel has killed so far, in the group and in all."""
        (self.group / self._names[0]).write_text(f"oom 9\noom_kill {group}\noom_group_kill 0\n")
        (self.proc / "vmstat").write_text(f"pgfault 12\noom_kill {machine}\n")


@pytest.mark.parametrize(
    ("version", "group", "root"),
    [(2, "/", "/"), (2, "/a/b", "/"), (1, "/a/b", "/"), (1, "/docker/123", "/docker/123")],
)
def test_a_limit_that_was_reached_is_named_with_its_size(
    tmp_path: Path, version: int, group: str, root: str
) -> None:
    machine = Machine(tmp_path, version, group, root)
    machine.kills(3, 3)
    watch = OomWatch(machine.proc)
    assert watch.explanation() == ""
    machine.kills(4, 4)
    assert "limit of this container or control group (300 MiB) was reached" in watch.explanation()


@pytest.mark.parametrize(("version", "limit"), [(2, "max"), (1, "9223372036854771712")])
def test_a_machine_that_ran_out_of_memory_is_called_that(
    tmp_path: Path, version: int, limit: str
) -> None:
    machine = Machine(tmp_path, version, "/a", limit=limit)
    watch = OomWatch(machine.proc)
    machine.kills(1, 1)
    assert watch.explanation() == "this machine ran out of memory"


def test_a_kill_outside_of_the_group_is_the_machines(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 2, "/a")
    watch = OomWatch(machine.proc)
    machine.kills(0, 1)
    assert watch.explanation() == "this machine ran out of memory"


def test_without_any_of_these_files_nothing_is_said(tmp_path: Path) -> None:
    assert OomWatch(tmp_path).explanation() == ""
    assert limits.host_memory() > 0

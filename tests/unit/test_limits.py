# SPDX-License-Identifier: GPL-2.0
"""All that limits the memory and the CPUs of a process is known, the memory's by its name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from p2pbench.base.paths import ROOT
from p2pbench.testbed import limits

MIB = 1 << 20
# As Linux writes them for no limit.
NONE = {"memory.max": "max", "memory.limit_in_bytes": "9223372036854771712"}


def machine(
    directory: Path, mounts: dict[str, tuple[str, str]], cgroup: str, files: dict[str, int]
) -> list[tuple[int, str]]:
    """Return the limits of a process: size in MiB and file, largest first.

    mounts are file systems: mount point to root and type; files are those that limit, in MiB.
    """
    lines = [
        f"31 23 0:28 {root} {directory}{mount} rw,relatime shared:9 - {kind}"
        for mount, (root, kind) in mounts.items()
    ]
    (directory / "mountinfo").write_text("\n".join(lines) + "\n")
    (directory / "cgroup").write_text(cgroup)
    for name, size in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{size * MIB}\n" if size else f"{NONE[path.name]}\n")
    return sorted(
        (
            (limit.size // MIB, limit.source.removesuffix(" allows"))
            for limit in limits.control_groups(directory)
        ),
        reverse=True,
    )


V2 = {"/cg": ("/", "cgroup2 cgroup rw,nsdelegate")}
V1 = {
    "/cg/cpu": ("/", "cgroup cgroup rw,cpu"),
    "/cg/memory": ("/", "cgroup cgroup rw,memory"),
    "/cg/unified": ("/", "cgroup2 cgroup2 rw"),
}


def test_each_group_above_a_process_limits_it(tmp_path: Path) -> None:
    limited = machine(
        tmp_path,
        V2,
        "0::/user.slice/run.scope\n",
        {
            "cg/user.slice/run.scope/memory.max": 0,
            "cg/user.slice/memory.max": 900,
            "cg/other.slice/memory.max": 1,
        },
    )
    assert limited == [(900, f"{tmp_path}/cg/user.slice/memory.max")]


def test_a_mount_without_a_source_is_read_over(tmp_path: Path) -> None:
    """As `mount -t tmpfs "" /mnt` and some containers leave it: two blanks in a line."""
    limited = machine(
        tmp_path, {"/mnt": ("/", "tmpfs  rw")} | V2, "0::/a\n", {"cg/a/memory.max": 900}
    )
    assert limited == [(900, f"{tmp_path}/cg/a/memory.max")]


def test_groups_of_version_1_limit_it_too(tmp_path: Path) -> None:
    limited = machine(
        tmp_path,
        V1,
        "5:devices:/d\n4:memory:/a/b\n1:cpu:/c\n0::/\n",
        {
            "cg/memory/a/b/memory.limit_in_bytes": 300,
            "cg/memory/memory.limit_in_bytes": 0,
            "cg/cpu/c/memory.limit_in_bytes": 1,
        },
    )
    assert limited[-1] == (300, f"{tmp_path}/cg/memory/a/b/memory.limit_in_bytes")
    assert len(limited) == 2


@pytest.mark.parametrize(
    ("root", "group"), [("/", "/"), ("/docker/01ab", "/docker/01ab"), ("/", "/docker/01ab")]
)
def test_a_container_sees_its_own_group_as_the_top(tmp_path: Path, root: str, group: str) -> None:
    mounts = {"/cg": (root, "cgroup cgroup rw,cpu,memory")}
    limited = machine(
        tmp_path, mounts, f"4:cpu,memory:{group}\n", {"cg/memory.limit_in_bytes": 300}
    )
    assert limited == [(300, f"{tmp_path}/cg/memory.limit_in_bytes")]


def test_a_group_inside_a_container_is_looked_for_below_its_top(tmp_path: Path) -> None:
    mounts = {"/cg": ("/docker/01ab", "cgroup2 cgroup2 rw")}
    limited = machine(
        tmp_path, mounts, "0::/docker/01ab/app\n", {"cg/memory.max": 900, "cg/app/memory.max": 300}
    )
    assert limited == [(900, f"{tmp_path}/cg/memory.max"), (300, f"{tmp_path}/cg/app/memory.max")]


def test_without_groups_the_machine_is_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_PROC", tmp_path)
    assert limits.memory() == [limits.Limit(limits.host_memory(), "this machine has")]


@pytest.mark.parametrize(
    ("quotas", "cpus"),
    [
        ({}, 8),
        ({"a/b/cpu.max": "max 100000"}, 8),
        ({"a/b/cpu.max": "300000 100000"}, 3),
        ({"a/b/cpu.max": "max 100000", "a/cpu.max": "250000 100000"}, 2),
        ({"a/b/cpu.max": "50000 100000"}, 1),
        ({"a/b/cpu.max": "1600000 100000"}, 8),
    ],
)
def test_a_process_has_the_cpus_that_all_its_groups_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quotas: dict[str, str], cpus: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    machine(tmp_path, V2, "0::/a/b\n", {"cg/a/b/memory.max": 0})
    for name, quota in quotas.items():
        (tmp_path / "cg" / name).write_text(f"{quota}\n")
    assert limits.cpus(tmp_path) == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("-1", 8), ("200000", 4)])
def test_groups_of_version_1_allow_cpus_by_two_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cpus: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    machine(tmp_path, V1, "4:memory:/a\n1:cpu,cpuacct:/c\n0::/\n", {"cg/memory/a/memory.max": 0})
    group = tmp_path / "cg" / "cpu" / "c"
    group.mkdir(parents=True)
    (group / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (group / "cpu.cfs_period_us").write_text("50000\n")
    assert limits.cpus(tmp_path) == cpus


def test_a_process_that_is_held_to_a_cpu_has_one() -> None:
    code = "from p2pbench.testbed import limits; print(limits.cpus())"
    done = subprocess.run(
        ["taskset", "-c", str(min(os.sched_getaffinity(0))), sys.executable, "-c", code],
        cwd=ROOT / "bench",
        capture_output=True,
        text=True,
    )
    assert done.stdout == "1\n", done.stderr


@pytest.mark.parametrize("option", ["-v", "-d"])
def test_a_limit_of_the_shell_counts_for_each_process_by_itself(option: str) -> None:
    code = "from p2pbench.testbed import limits; print(*limits._of_processes())"
    done = subprocess.run(
        ["bash", "-c", f"ulimit {option} 4194304; exec {sys.executable} -c '{code}'"],
        cwd=ROOT / "bench",
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(
        f"Limit(size=4294967296, source='`ulimit {option}` allows'"
    ), done.stderr
    limit = limits.Limit(4096 * MIB, "", each=True)
    assert limit.room(2) == limit.room(1) == 2 * limits.Limit(4096 * MIB, "").room(2)

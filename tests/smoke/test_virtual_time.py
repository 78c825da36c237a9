# SPDX-License-Identifier: GPL-2.0
"""Virtual time on real boots: it goes by the guest's instructions, whatever the host does."""

import subprocess
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from counted import counted_boot, differences
from p2pbench.linux.kernel import Kernel
from p2pbench.linux.symbols import read_functions
from p2pbench.plan.matrix import Matrix
from p2pbench.plan.matrix_file import read_matrix
from p2pbench.records.virtual_time import SHIFT
from p2pbench.testbed import instruments
from p2pbench.testbed.accelerators import Accelerator
from p2pbench.testbed.instruments import Counter
from peers import peer_guest
from support import GuestMaker

MATRIX = """\
blocks = 1
virtual_time = "required"
[[boots]]
variant = "page"
providers = ["host", "cmb", "bar"]
[[workloads]]
rw = "randread"
bs = "4k"
runtime = "1s"
[[counts]]
variants = ["page"]
providers = "bar"
rw = ["randread", "randwrite"]
bs = "4k"
iodepth = [1, 16]
scheduler = ["none", "mq-deadline"]
ios = 128
verify = true
[[counts]]
variants = ["page"]
providers = "host"
rw = "randread"
bs = "4k"
iodepth = [1, 16]
ios = 128
[[counts]]
variants = ["page"]
providers = "cmb"
cmb_sqes = [false, true]
rw = "randread"
bs = "64k"
ios = 32
[[counts]]
variants = ["page"]
rw = "randwrite"
bs = "1m"
iodepth = 16
ios = 32
[[ordinary]]
variants = ["page"]
devices = ["null_blk", "nvme"]
rw = "randread"
bs = ["4k", "128k"]
ios = 400
"""


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    path = tmp_path_factory.mktemp("matrix") / "virtual.toml"
    path.write_text(MATRIX)
    return read_matrix(path)


@pytest.fixture(scope="module")
def instrument() -> instruments.Instrument:
    chosen = instruments.choose(Accelerator("tcg", ""))
    assert chosen.icount, chosen.real_time
    return chosen


@pytest.fixture
def busy_host() -> Generator[None, None, None]:
    """Two programs that want a CPU each, all the time."""
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(2)]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


def time_outside_of_slabs(entry: dict[str, Any]) -> float:
    """Return how long a count took without the allocator of objects, in ns of virtual time.

    Where an I/O's objects lie on both sides of the end of a slab, it takes the slow way for each
    I/O of a cell: some 500 instructions. Whether they do is up to the boot's history.
    """
    counts = entry["counts"]
    instructions = sum(
        row["per_io"] * counts["ios"] for row in counts["functions"] if row["object"] == "mm/slub.o"
    )
    assert instructions > 0, entry["name"]
    return float(entry["virtual"]["duration_ns"] - instructions * (1 << SHIFT))


def test_a_busy_host_changes_no_figure(
    page_kernel: Kernel,
    matrix: Matrix,
    busy_host: None,
    instrument: instruments.Instrument,
    tmp_path: Path,
) -> None:
    functions = read_functions(page_kernel.directory, "6.1")
    one, two = (
        counted_boot(
            name,
            page_kernel,
            matrix,
            Counter(instrument, "page", functions, tmp_path / name),
            tmp_path,
        )
        for name in ("one", "two")
    )
    assert {entry["status"] for entry in one.values()} == {"ok"}, one
    timed = [name for name in one if name.startswith("count-") and "pattern" not in name]
    assert len(timed) == 8 + 2 + 1 + 1
    for name in timed:
        ratio = time_outside_of_slabs(one[name]) / time_outside_of_slabs(two[name])
        # 0.3 % is the most that was seen between any two of twelve boots of 128 I/Os: what the
        # kernel does by itself now and then.
        assert abs(ratio - 1) < 0.005, (name, ratio, differences(one[name], two[name]))
        latency = one[name]["virtual"]["latency_ns"]
        assert 0 < latency["p50"] <= latency["max"], name
    assert one["count-bar-pattern-target-to-fabric-4k"]["evidence"]["p2p"]["requests"] > 0


def test_queues_in_the_cmb_are_timed_as_exactly(
    page_kernel: Kernel, matrix: Matrix, instrument: instruments.Instrument, tmp_path: Path
) -> None:
    functions = read_functions(page_kernel.directory, "6.1")
    counter = Counter(instrument, "page", functions, tmp_path / "one")
    entries = counted_boot("one", page_kernel, matrix, counter, tmp_path, "count+sqes")
    assert [entry["status"] for entry in entries.values()] == ["ok"]
    assert entries["count-cmb+sqes-randread-64k-qd1"]["evidence"]["p2p"]["requests"] == 32


def test_a_guest_that_does_not_wait_for_its_disk_is_invalid(
    page_kernel: Kernel,
    matrix: Matrix,
    instrument: instruments.Instrument,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    functions = read_functions(page_kernel.directory, "6.1")
    hasty = Counter(replace(instrument, icount=""), "page", functions, tmp_path / "one")
    assert "sync=" not in hasty.argument
    monkeypatch.setattr(hasty, "instrument", instrument)
    entries = counted_boot("one", page_kernel, matrix, hasty, tmp_path)
    (reason,) = entries["count-host-randread-4k-qd1"]["reasons"]
    assert "virtual time: the guest's clock went" in reason and "0.2 % is allowed" in reason


def test_the_scheduler_of_the_disk_is_the_old_one_after_a_count(
    page_kernel: Kernel, make_guest: GuestMaker
) -> None:
    line = {"line": "cat /sys/block/nvme*n1/queue/scheduler", "deadline_s": 10}
    with peer_guest(make_guest, page_kernel) as guest:
        before = guest.channel.order("command", line)["stdout"]
        other = "none" if "[mq-deadline]" in before else "mq-deadline"
        guest.channel.order(
            "count", {"name": "count", "rw": "randread", "scheduler": other, "ios": 10}, 120
        )
        assert guest.channel.order("command", line)["stdout"] == before

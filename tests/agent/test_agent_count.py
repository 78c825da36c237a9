# SPDX-License-Identifier: GPL-2.0
"""The count order and the scheduler on a machine made of files: answers, refusals, undoing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faketree import Agent, FakeMachine, write

COUNT: dict[str, Any] = {"name": "x", "rw": "read", "bs": 4096, "ios": 10}


def scheduler(machine: FakeMachine, text: str = "[mq-deadline] none\n") -> Path:
    path = machine.sysfs / "class/block/nvme0n1/queue/scheduler"
    write(path, text)
    return path


def test_the_fabric_needs_a_setup(agent: Agent) -> None:
    assert agent.error("count", **COUNT) == {
        "step": "count",
        "expected": "a machine that is set up",
        "got": 'none: order "setup" first',
    }


def test_a_disk_that_is_not_there_is_named(agent: Agent) -> None:
    error = agent.error("count", **(COUNT | {"device": "null_blk"}))
    assert error["step"] == "find the disk"
    assert "nullb0, of null_blk" in error["expected"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"bs": 1000}, "a multiple of 512"),
        ({"rw": "trim"}, "read|write|randread|randwrite"),
        ({"device": "sda"}, "fabric|null_blk|nvme"),
        ({"iodepth": 65}, "from 1 to 64"),
        ({"scheduler": "bfq"}, "none|mq-deadline"),
        ({"instrument": "x"}, "none|marks|perf"),
        ({"ios": 5 << 20}, "from 1 to 4194304"),
    ],
)
def test_a_wrong_argument_is_refused(agent: Agent, change: dict[str, Any], word: str) -> None:
    error = agent.error("count", **(COUNT | change))
    assert error["step"] == "order" and word in error["expected"]


@pytest.mark.parametrize("rw", ["read", "randwrite"])
@pytest.mark.parametrize(
    ("ios", "iodepth", "null"),
    [
        (1, 1, {"p99", "p999"}),
        (99, 16, {"p99", "p999"}),
        (100, 1, {"p999"}),
        (999, 64, {"p999"}),
        (1000, 16, set()),
    ],
)
def test_a_count_answers_with_its_io_its_duration_and_its_latencies(
    agent: Agent, machine: FakeMachine, rw: str, ios: int, iodepth: int, null: set[str]
) -> None:
    machine.null_blk()
    answer = agent.result(
        "count", **(COUNT | {"device": "null_blk", "rw": rw, "ios": ios, "iodepth": iodepth})
    )
    assert set(answer) == {"ios", "bytes", "duration_ns", "latency_ns", "instructions", "evidence"}
    assert (answer["ios"], answer["bytes"]) == (ios, ios * 4096)
    latency = answer["latency_ns"]
    assert list(latency) == ["p50", "p99", "p999", "max"]
    assert {name for name, value in latency.items() if value is None} == null
    values = [value for value in latency.values() if value is not None]
    assert all(isinstance(value, int) for value in values)
    assert values == sorted(values) and 0 < values[0]
    assert values[-1] < answer["duration_ns"]


@pytest.fixture
def slow(built: Path, machine: FakeMachine) -> Iterator[Agent]:
    """The agent with a disk of which one completion is seen at a time, 1 ms after the last."""
    machine.null_blk()
    with Agent(built / "p2pagent", machine, FAKE_IO_NS="1000000") as running:
        yield running


def test_an_io_takes_from_the_submission_of_its_batch_until_it_is_reaped_itself(
    slow: Agent,
) -> None:
    """The fifth of ten, and the last."""
    latency = slow.result("count", **(COUNT | {"device": "null_blk", "iodepth": 10}))["latency_ns"]
    assert latency["p50"] >= 5e6
    assert latency["max"] >= latency["p50"] + 5e6


def test_what_ran_before_a_batch_is_not_in_its_latencies(slow: Agent) -> None:
    """Half of the I/Os at least take the median: that much of the duration, one after another."""
    answer = slow.result("count", **(COUNT | {"device": "null_blk", "ios": 100}))
    assert answer["duration_ns"] >= 100e6
    assert 1e6 <= answer["latency_ns"]["p50"] <= answer["duration_ns"] / 50


def test_a_deadline_that_passes_tells_how_many_ios_are_left(slow: Agent) -> None:
    assert slow.error("count", scale=1e-9, **(COUNT | {"device": "null_blk", "iodepth": 7})) == {
        "step": "io",
        "expected": "7 more I/Os of 4096 bytes to complete",
        "got": "none in time",
    }


def test_a_count_sets_the_scheduler_of_the_targets_disk(agent: Agent, machine: FakeMachine) -> None:
    path = scheduler(machine, "[none] mq-deadline\n")
    agent.setup()
    # A file does not show in brackets what was written to it, as the kernel does.
    error = agent.error("count", **(COUNT | {"scheduler": "mq-deadline"}))
    assert error["step"] != "order" and path.read_text() == "mq-deadline"


def test_a_setup_leaves_the_scheduler_as_it_is(agent: Agent, machine: FakeMachine) -> None:
    path = scheduler(machine)
    agent.setup()
    agent.result("teardown")
    assert path.read_text() == "[mq-deadline] none\n"


def test_a_disk_of_the_target_is_no_ordinary_disk(agent: Agent) -> None:
    agent.setup()
    error = agent.error("count", **(COUNT | {"device": "nvme"}))
    assert error["got"] == "a setup" and "teardown" in error["expected"]

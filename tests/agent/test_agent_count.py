"""The count order and the scheduler on a machine made of files: refusals, and what is undone."""

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
        "step": "count", "expected": "a machine that is set up",
        "got": 'none: order "setup" first'}


def test_a_disk_that_is_not_there_is_named(agent: Agent) -> None:
    error = agent.error("count", **(COUNT | {"device": "null_blk"}))
    assert error["step"] == "find the disk"
    assert "nullb0, of null_blk" in error["expected"]


@pytest.mark.parametrize(("change", "word"), [
    ({"bs": 1000}, "a multiple of 512"), ({"rw": "trim"}, "read|write|randread|randwrite"),
    ({"device": "sda"}, "fabric|null_blk|nvme"), ({"iodepth": 65}, "from 1 to 64"),
    ({"scheduler": "none"}, "for an ordinary device only"),
    ({"instrument": "x"}, "none|marks|perf"),
])
def test_a_wrong_argument_is_refused(agent: Agent, change: dict[str, Any], word: str) -> None:
    error = agent.error("count", **(COUNT | change))
    assert error["step"] == "order" and word in error["expected"]


def test_a_setup_sets_the_disks_scheduler_and_a_teardown_puts_the_old_one_back(
        agent: Agent, machine: FakeMachine) -> None:
    path = scheduler(machine)
    agent.result("setup", provider="host", scheduler="none")
    assert path.read_text() == "none"
    path.write_text("mq-deadline [none]\n")  # as the kernel shows what was written
    agent.result("teardown")
    assert path.read_text() == "mq-deadline"


def test_a_setup_without_a_scheduler_leaves_it(agent: Agent, machine: FakeMachine) -> None:
    path = scheduler(machine)
    agent.result("setup", provider="host")
    agent.result("teardown")
    assert path.read_text() == "[mq-deadline] none\n"


def test_a_disk_of_the_target_is_no_ordinary_disk(agent: Agent) -> None:
    agent.result("setup", provider="host")
    error = agent.error("count", **(COUNT | {"device": "nvme"}))
    assert error["got"] == "a setup" and "teardown" in error["expected"]

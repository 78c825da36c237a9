# SPDX-License-Identifier: GPL-2.0
"""Target and initiator on one machine, or on two whose halves the harness puts together."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faketree import NQN, NVME_PCI, POOL, SETUP, Agent, FakeMachine, write

TARGET = SETUP | {"role": "target", "provider": "cmb"}
INITIATOR = {
    "role": "initiator",
    "netdev": "eth0",
    "addr": "192.168.77.2/24",
    "traddr": "192.168.77.1",
}
PATTERN: dict[str, Any] = {"bytes": 65536, "block": 4096}
# Each half of a pattern, in order: who, which, and with what seed.
WAYS = {
    "target-to-fabric": [("target", "write"), ("initiator", "check")],
    "fabric-to-target": [("initiator", "write"), ("target", "check")],
}


class Pair:
    """Two machines of files; what the initiator is connected to is the target's disk."""

    def __init__(self, built: Path, directory: Path, fabric_is: str = "nvme0n1") -> None:
        self.machines = {
            name: FakeMachine(directory / name, built / "fake.so")
            for name in ("target", "initiator")
        }
        self.machines["target"].pool()
        env = {
            "FAKE_GID": "0000:0000:0000:0000:0000:ffff:c0a8:4d02",
            "FABRIC_IS": str(self.machines["target"].devfs / fabric_is),
        }
        self.target = Agent(built / "p2pagent", self.machines["target"])
        self.initiator = Agent(built / "p2pagent", self.machines["initiator"], **env)

    def set_up(self) -> None:
        self.target.result("setup", **TARGET)
        self.initiator.result("setup", **INITIATOR)

    def carry(self, direction: str) -> list[dict[str, Any]]:
        """Carry a pattern as the harness would; return the replies."""
        agents = {"target": self.target, "initiator": self.initiator}
        return [
            agents[name].order("pattern", direction=direction, half=half, **PATTERN)
            for name, half in WAYS[direction]
        ]


@pytest.fixture
def pair(built: Path, tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(built, tmp_path)
    with pair.target, pair.initiator:
        yield pair


def test_a_target_is_connected_to_nothing(pair: Pair) -> None:
    answer = pair.target.result("setup", **TARGET)
    assert answer == {
        "provider": "cmb",
        "p2p_device": NVME_PCI,
        "backing_dev": "/dev/nvme0n1",
        "backing_pci": NVME_PCI,
        "netdev": "eth0",
        "rdma_dev": "rxe0",
        "register": None,
        "pool": {"size": POOL, "available": POOL, "published": True},
    }
    machine = pair.machines["target"]
    assert (machine.configfs / "nvmet/ports/4420/subsystems" / NQN).is_symlink()
    assert not [line for line in machine.noted() if line.startswith("nvme ")]


def test_an_initiator_connects_from_its_address_and_has_no_target(pair: Pair) -> None:
    answer = pair.initiator.result("setup", **INITIATOR)
    assert answer == {"fabric_dev": "/dev/nvme1n1", "netdev": "eth0", "rdma_dev": "rxe0"}
    connect = [line for line in pair.machines["initiator"].noted() if line.startswith("nvme ")]
    assert len(connect) == 1 and " -a 192.168.77.1 " in connect[0]
    assert " -w 192.168.77.2 " in connect[0]
    assert not [line for line in pair.machines["initiator"].noted() if "nvmet" in line]


def test_an_initiator_needs_no_disk_of_its_own_and_no_nvmet(pair: Pair) -> None:
    machine = pair.machines["initiator"]
    (machine.sysfs / "class/nvme/nvme0/transport").write_text("tcp\n")
    (machine.configfs / "nvmet").rename(machine.configfs / "other")
    pair.initiator.result("setup", **INITIATOR)


def test_a_connection_that_was_there_is_not_ours_to_end(pair: Pair) -> None:
    write(pair.machines["initiator"].sysfs / "class/nvme/nvme5/subsysnqn", NQN + "\n")
    error = pair.initiator.error("setup", **INITIATOR)
    assert error["expected"] == f"no controller of {NQN} before"
    pair.initiator.result("teardown")
    assert pair.machines["initiator"].noted() == []


@pytest.mark.parametrize(
    ("order", "args"),
    [
        ("fio", {"name": "x", "job": "exit 0\n"}),
        ("count", {"name": "x", "rw": "read"}),
        ("pattern", {"direction": "fabric-to-target"}),
        ("pattern", {"direction": "fabric-to-target", "half": "write"}),
    ],
)
def test_io_over_the_fabric_is_the_initiators(pair: Pair, order: str, args: dict[str, Any]) -> None:
    pair.set_up()
    error = pair.target.error(order, **args)
    assert error["expected"] == "a machine that is set up as initiator"
    assert error["got"] == 'role "target"'


def test_the_targets_disk_is_the_targets(pair: Pair) -> None:
    pair.set_up()
    error = pair.initiator.error("pattern", direction="target-to-fabric", half="write")
    assert error["expected"] == "a machine that is set up as target"
    error = pair.initiator.error("count", name="x", rw="read", scheduler="none")
    assert error["expected"] == "the target's disk here, for a scheduler"


@pytest.mark.parametrize("direction", WAYS)
def test_a_pattern_in_two_halves_arrives_on_the_other_machine(pair: Pair, direction: str) -> None:
    pair.set_up()
    assert [reply["ok"] for reply in pair.carry(direction)] == [True, True]


@pytest.mark.parametrize("direction", WAYS)
def test_a_pattern_that_does_not_arrive_on_the_other_machine_is_missed_there(
    built: Path, tmp_path: Path, direction: str
) -> None:
    pair = Pair(built, tmp_path, fabric_is="other")
    with pair.target, pair.initiator:
        pair.set_up()
        wrote, checked = pair.carry(direction)
        assert wrote["ok"] and not checked["ok"]
        assert "offset 0: " in checked["error"]["expected"]


def test_two_halves_of_evidence_are_what_one_machine_says(
    pair: Pair, tmp_path: Path, built: Path
) -> None:
    def spend(machine: FakeMachine) -> str:
        """A job that uses the peer memory of a machine."""
        namespace = machine.configfs / "nvmet/subsystems" / NQN / "namespaces/1"
        pool = machine.sysfs / "bus/pci/devices" / NVME_PCI / "p2pmem/available"
        return (
            f"echo 17 > {namespace}/p2pmem_requests; echo 4096 > {pool}; sleep 0.2; "
            f"echo {POOL} > {pool}; sleep 0.1\n"
        )

    pair.set_up()
    pair.machines["target"].p2p_counters(10, 40960, 1)
    pair.target.result("evidence-begin")
    initiator = pair.initiator.result("fio", name="x", job=spend(pair.machines["target"]))
    target = pair.target.result("evidence-end")
    initiator = initiator["evidence"]
    assert initiator["p2p"] is None and initiator["pool"] is None and target["device"] is None
    joined = target | {"device": initiator["device"]}

    machine = FakeMachine(tmp_path / "one", built / "fake.so")
    machine.pool()
    with Agent(built / "p2pagent", machine) as agent:
        agent.setup(provider="cmb")
        machine.p2p_counters(10, 40960, 1)
        alone = agent.result("fio", name="x", job=spend(machine))["evidence"]
    assert joined["pool"].pop("samples") > 0 and alone["pool"].pop("samples") > 0
    assert joined == alone
    assert joined["p2p"] == {"requests": 7, "bytes": 0, "fallbacks": 0}
    assert joined["pool"]["low"] == 4096


def test_evidence_that_nobody_samples_has_no_samples(pair: Pair) -> None:
    pair.set_up()
    pair.target.result("evidence-begin", sample=0)
    assert pair.target.result("evidence-end")["pool"]["samples"] == 0


def test_evidence_is_begun_once_and_ended_once(agent: Agent) -> None:
    assert "setup" in agent.error("evidence-begin")["got"]
    assert agent.error("evidence-end")["got"] == 'none: order "evidence-begin" first'
    agent.setup()
    agent.result("evidence-begin")
    assert agent.error("evidence-begin")["got"] == 'one: order "evidence-end" first'
    agent.result("evidence-end")
    assert agent.error("evidence-end")["got"] == 'none: order "evidence-begin" first'


def test_a_teardown_ends_evidence_before_it_takes_away_what_is_read(pair: Pair) -> None:
    pair.set_up()
    pair.target.result("evidence-begin")
    before = len(pair.target.progress)
    pair.target.result("teardown")
    assert pair.target.progress[before:][0] == "evidence-end"
    assert pair.target.error("evidence-end")["got"] == 'none: order "evidence-begin" first'
    pair.target.result("setup", **TARGET)

# SPDX-License-Identifier: GPL-2.0
"""Which network card and RDMA device the agent uses: those that the order names, and no others."""

import pytest
from faketree import SETUP, Agent, FakeMachine

STANDING = {"netdev": "", "rdma_dev": "mlx5_0"}


def test_an_order_that_names_no_card_is_refused_and_none_is_touched(
    agent: Agent, machine: FakeMachine
) -> None:
    machine.rdma_device("mlx5_0")
    assert agent.error("setup", provider="host") == {
        "step": "order",
        "expected": 'argument "netdev", "rdma_dev", or both',
        "got": "neither",
    }
    assert machine.noted() == []


def test_an_interface_that_is_not_there_is_told_with_those_that_are(agent: Agent) -> None:
    assert agent.setup_error(netdev="eth1") == {
        "step": "find the network interface",
        "expected": "eth1",
        "got": "there: dummy0 eth0 lo",
    }


def test_rxe_is_put_on_the_interface_that_is_named(agent: Agent, machine: FakeMachine) -> None:
    answer = agent.setup(rdma_dev="rxe7")
    assert (answer["netdev"], answer["rdma_dev"]) == ("eth0", "rxe7")
    assert "rdma link add rxe7 type rxe netdev eth0" in machine.noted()
    agent.result("teardown")
    assert "rdma link delete rxe7" in machine.noted()


def test_rxe_takes_no_name_of_a_device_that_is_there(agent: Agent, machine: FakeMachine) -> None:
    machine.rdma_device("rxe0")
    error = agent.setup_error()
    assert (error["step"], error["expected"]) == ("rdma link add", "no RDMA device rxe0 before")
    assert "rdma link delete rxe0" in error["got"]


def test_an_rdma_device_that_is_there_is_used_as_it_is(agent: Agent, machine: FakeMachine) -> None:
    machine.rdma_device("mlx5_0")
    answer = agent.setup(**STANDING)
    assert (answer["netdev"], answer["rdma_dev"]) == (None, "mlx5_0")
    agent.result("teardown")
    assert not [line for line in machine.noted() if line.startswith(("ip ", "rdma "))]
    assert machine.made() == [str(machine.sysfs / "class/infiniband/mlx5_0")]


def test_an_rdma_device_that_is_not_there_is_told_with_those_that_are(
    agent: Agent, machine: FakeMachine
) -> None:
    error = {"step": "find the RDMA device", "expected": "mlx5_0", "got": "there: none"}
    assert agent.setup_error(**STANDING) == error
    machine.rdma_device("mlx5_1")
    assert agent.setup_error(**STANDING) == error | {"got": "there: mlx5_1"}


@pytest.mark.parametrize(
    ("state", "gid", "expected"),
    [
        ("1: DOWN", "", "mlx5_0 with its port 1 ACTIVE"),
        ("4: ACTIVE", "fe80::", "mlx5_0 with a GID of 192.168.77.1"),
    ],
)
def test_an_rdma_device_that_cannot_carry_the_address_is_refused(
    agent: Agent, machine: FakeMachine, state: str, gid: str, expected: str
) -> None:
    machine.rdma_device("mlx5_0", state, gid)
    assert agent.error("setup", scale=0.05, **(SETUP | STANDING)) == {
        "step": "find the RDMA device",
        "expected": expected,
        "got": "not within 1.0 s",
    }

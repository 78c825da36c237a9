# SPDX-License-Identifier: GPL-2.0
"""The agent as an ordinary program, on a machine made of files."""

import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from faketree import BAR_PCI, NQN, NVME_PCI, POOL, SETUP, Agent, FakeMachine, write

BAR: dict[str, Any] = {"provider": "bar", "bar": {"pci": "1af4:1110", "bar": 2}}


def test_ready_comes_first(agent: Agent) -> None:
    assert agent.ready["event"] == "ready"
    assert agent.ready["protocol"] == 1
    assert agent.ready["uptime_s"] == 12.5
    assert agent.ready["kernel"]


def test_info_names_the_machine(agent: Agent) -> None:
    info = agent.result("info")
    assert info["cmdline"] == "console=ttyS0 quiet"
    assert info["mem_total_kb"] == 1000
    assert info["cpus"] >= 1


def test_the_tools_are_asked_for_their_versions(agent: Agent) -> None:
    tools = agent.result("tools")
    assert set(tools) == {"fio", "nvme", "rdma", "ip"}


def test_memory_sums_the_zones(agent: Agent) -> None:
    assert agent.result("memory") == {
        "free_pages": 21000,
        "device_zone_spanned": 65536,
        "device_zone_present": 11,
        "device_zone_managed": 7,
        "mem_available_kb": 700,
    }


def test_memory_without_zones_fails(agent: Agent, machine: FakeMachine) -> None:
    write(machine.procfs / "zoneinfo", "nothing\n")
    assert agent.error("memory") == {
        "step": "memory",
        "expected": f"zones in {machine.procfs}/zoneinfo",
        "got": "none",
    }


def test_kernel_log_is_lines_with_time_and_level(agent: Agent) -> None:
    assert agent.result("kernel-log") == {"lines": ["[    1.500000] <6> hello"]}


@pytest.mark.parametrize(
    "line",
    ["no json", "[]", '{"order": "info"}', '{"id": 1}', '{"id": 1, "order": "info", "args": 7}'],
)
def test_what_is_no_order_is_refused_and_the_agent_lives_on(agent: Agent, line: str) -> None:
    agent.send(line)
    answer = agent.answer()
    assert not answer["ok"]
    assert answer["error"]["step"] == "order"
    agent.result("memory")


def test_unknown_order_names_the_known_ones(agent: Agent) -> None:
    error = agent.error("setupp")
    assert error["step"] == "order"
    assert error["got"] == '"setupp"'
    assert "setup, fio, pattern" in error["expected"]


@pytest.mark.parametrize(
    ("name", "args", "expected", "got"),
    [
        ("setup", {}, 'argument "provider"', "none of that name"),
        ("setup", {"provider": "cmbb"}, 'argument "provider": host|cmb|bar', '"cmbb"'),
        (
            "setup",
            {"provider": "host", "svc": "4420"},
            'argument "svc": an integer from 1 to 65535',
            "a string",
        ),
        (
            "setup",
            SETUP | {"provider": "bar"},
            'argument "bar" with provider "bar"',
            "none of that name",
        ),
        ("fio", {"name": "x"}, 'argument "job"', "none of that name"),
        (
            "fio",
            {"name": "x", "job": "y", "deadline_s": 0},
            'argument "deadline_s": seconds, above 0 and up to 86400',
            "0",
        ),
        (
            "pattern",
            {"direction": "up"},
            'argument "direction": target-to-fabric|fabric-to-target',
            '"up"',
        ),
        (
            "pattern",
            {"direction": "fabric-to-target", "bytes": 5000, "block": 512},
            'argument "bytes": a multiple of "block" (512)',
            "5000",
        ),
        ("memory", {"x": 1}, "known arguments only (none)", '"x"'),
    ],
)
def test_wrong_arguments_are_named(
    agent: Agent, name: str, args: dict[str, Any], expected: str, got: str
) -> None:
    assert agent.error(name, **args) == {"step": "order", "expected": expected, "got": got}


def test_no_nvme_with_that_serial(agent: Agent) -> None:
    assert agent.setup_error(nvme_serial="other") == {
        "step": "find the backing device",
        "expected": 'one PCI NVMe controller with serial "other"',
        "got": '0 among nvme0 "p2pbench"',
    }


def test_no_serial_means_the_only_pci_controller(agent: Agent, machine: FakeMachine) -> None:
    shutil.copytree(machine.sysfs / "class/nvme/nvme0", machine.sysfs / "class/nvme/nvme7")
    error = agent.setup_error(nvme_serial="")
    assert error["expected"] == "one PCI NVMe controller"
    assert error["got"].startswith("2 among nvme0")
    write(machine.sysfs / "class/nvme/nvme7/transport", "tcp\n")
    assert agent.setup(nvme_serial="")["backing_pci"] == NVME_PCI


def test_a_disk_with_partitions_is_refused(agent: Agent, machine: FakeMachine) -> None:
    (machine.sysfs / "class/block/nvme0n1/nvme0n1p1").mkdir()
    error = agent.setup_error()
    assert error["expected"] == "a disk that nobody uses"
    assert error["got"] == "nvme0n1 has partitions"


def test_bar_device_is_missing(agent: Agent, machine: FakeMachine) -> None:
    shutil.rmtree(machine.sysfs / "bus/pci/devices" / BAR_PCI)
    error = agent.setup_error(**BAR)
    assert error["step"] == "find the BAR device"
    assert error["expected"] == "one PCI device 1af4:1110"
    assert error["got"] == "none"


def test_bar_device_twice_wants_the_address(agent: Agent, machine: FakeMachine) -> None:
    devices = machine.sysfs / "bus/pci/devices"
    shutil.copytree(devices / BAR_PCI, devices / "0000:06:00.0")
    assert "give the address" in agent.setup_error(**BAR)["got"]


def test_bar_device_with_a_driver_is_refused(agent: Agent, machine: FakeMachine) -> None:
    device = machine.sysfs / "bus/pci/devices" / BAR_PCI
    (device / "driver").symlink_to("../../../bus/pci/drivers/uio_pci")
    assert agent.setup_error(**BAR) == {
        "step": "bind",
        "expected": f"no driver on {BAR_PCI}",
        "got": "uio_pci",
    }


def test_module_that_is_loaded_is_refused(agent: Agent, machine: FakeMachine) -> None:
    (machine.sysfs / "module/p2p_provider").mkdir(parents=True)
    assert agent.setup_error(**BAR)["expected"] == "no module p2p_provider loaded before"


def test_module_that_is_missing(agent: Agent) -> None:
    error = agent.setup_error(module="/nowhere/p2p_provider.ko", **BAR)
    assert error == {
        "step": "insmod",
        "got": "No such file or directory",
        "expected": "the kernel to load /nowhere/p2p_provider.ko bar=2 offset=0 size=0",
    }


def test_nqn_in_use(agent: Agent, machine: FakeMachine) -> None:
    taken = machine.configfs / "nvmet/subsystems" / NQN
    taken.mkdir()
    error = agent.setup_error()
    assert error["step"] == "nvmet subsystem"
    assert error["expected"] == f"no subsystem {NQN} before"
    assert error["got"].startswith(str(taken))
    agent.result("teardown")
    assert taken.is_dir()
    assert machine.noted() == []


@pytest.mark.parametrize(("port", "service"), [("4420", "9"), ("1", "4420")])
def test_port_in_use(agent: Agent, machine: FakeMachine, port: str, service: str) -> None:
    write(machine.configfs / "nvmet/ports" / port / "addr_trsvcid", service + "\n")
    error = agent.setup_error()
    assert error["step"] == "nvmet port"
    assert error["expected"] == "no nvmet port on service 4420 before"
    assert f"ports/{port}/" in error["got"]


def test_no_nvmet(agent: Agent, machine: FakeMachine) -> None:
    shutil.rmtree(machine.configfs / "nvmet")
    assert "modprobe nvmet-rdma" in agent.setup_error()["expected"]


def test_cmb_without_a_pool(agent: Agent) -> None:
    error = agent.setup_error(provider="cmb")
    assert error["step"] == "pool"
    assert error["expected"] == f"a pool of peer memory of {NVME_PCI}"


def test_cmb_that_is_not_published(agent: Agent, machine: FakeMachine) -> None:
    machine.pool(published=0)
    assert agent.setup_error(provider="cmb") == {
        "step": "pool",
        "expected": f"published peer memory of {NVME_PCI}",
        "got": 'published = "0"',
    }


def test_host_setup_answers_what_stands(agent: Agent, machine: FakeMachine) -> None:
    assert agent.setup() == {
        "provider": "host",
        "p2p_device": None,
        "backing_dev": "/dev/nvme0n1",
        "backing_pci": NVME_PCI,
        "fabric_dev": "/dev/nvme1n1",
        "netdev": "eth0",
        "rdma_dev": "rxe0",
        "pool": None,
        "register": None,
    }
    namespace = machine.configfs / "nvmet/subsystems" / NQN / "namespaces/1"
    assert (namespace / "p2pmem").read_text() == "none\n"
    assert (namespace / "device_path").read_text() == f"{machine.devfs}/nvme0n1"
    assert (namespace / "enable").read_text() == "1"


def test_cmb_setup_names_the_controller_as_peer_memory(agent: Agent, machine: FakeMachine) -> None:
    machine.pool()
    result = agent.setup(provider="cmb")
    assert result["p2p_device"] == NVME_PCI
    assert result["pool"] == {"size": POOL, "available": POOL, "published": True}
    namespace = machine.configfs / "nvmet/subsystems" / NQN / "namespaces/1"
    assert (namespace / "p2pmem").read_text() == NVME_PCI


def test_setup_until_the_provider_makes_nothing_that_uses_it(
    agent: Agent, machine: FakeMachine
) -> None:
    machine.pool()
    before = machine.made()
    assert agent.setup(provider="cmb", until="provider") == {
        "provider": "cmb",
        "p2p_device": NVME_PCI,
        "register": None,
        "pool": {"size": POOL, "available": POOL, "published": True},
    }
    assert machine.made() == before and machine.noted() == []
    assert agent.error("fio", name="x", job="")["got"] == 'none: order "setup" first'
    assert agent.result("teardown")["pool"] == {"size": POOL, "available": POOL}


def test_port_is_complete_before_it_is_enabled(agent: Agent, machine: FakeMachine) -> None:
    agent.setup()
    link = f"nvmet/ports/4420/subsystems/{NQN}"
    values = (
        "param_inline_data_size=0",
        "addr_trtype=rdma",
        "addr_adrfam=ipv4",
        "addr_traddr=192.168.77.1",
        "addr_trsvcid=4420",
    )
    assert machine.noted().index(f"link {link}") > max(
        machine.noted().index(f"{value} {link}") for value in values
    )


def test_setup_does_its_work_in_order(agent: Agent, machine: FakeMachine) -> None:
    agent.setup(nr_io_queues=3)
    assert agent.progress == [
        "find the backing device",
        "check that nothing is in the way",
        "link up",
        "address",
        "rdma link add",
        "nvmet subsystem",
        "nvmet namespace",
        "nvmet port",
        "nvmet port link",
        "connect",
    ]
    tools = [line for line in machine.noted() if line.startswith(("ip", "rdma", "nvme "))]
    assert tools[:4] == [
        "ip link set dev eth0 mtu 4200 up",
        "ip -o addr show dev eth0",
        "ip addr add 192.168.77.1/24 dev eth0",
        "rdma link add rxe0 type rxe netdev eth0",
    ]
    assert tools[4].startswith(
        f"nvme connect -t rdma -a 192.168.77.1 -s 4420 -n {NQN} -i 3 -w 192.168.77.1 "
    )
    assert "--hostnqn" in tools[4] and "--hostid" in tools[4]


def test_teardown_takes_everything_back_in_reverse(agent: Agent, machine: FakeMachine) -> None:
    agent.setup()
    assert machine.made()
    before = len(machine.noted())
    assert agent.result("teardown")["pool"] is None
    assert machine.made() == []
    assert [line.rstrip("/") for line in machine.noted()[before:]] == [
        f"nvme disconnect -n {NQN}",
        "rmdir nvmet/ports/4420",
        f"rmdir nvmet/subsystems/{NQN}/namespaces/1",
        f"rmdir nvmet/subsystems/{NQN}",
        "rdma link delete rxe0",
        "ip addr del 192.168.77.1/24 dev eth0",
        "ip link set dev eth0 mtu 1500 down",
    ]


def test_teardown_works_twice_and_then_setup_again(agent: Agent) -> None:
    agent.setup()
    agent.result("teardown")
    agent.result("teardown")
    agent.setup()


def test_second_setup_wants_a_teardown_first(agent: Agent) -> None:
    agent.setup()
    assert "teardown first" in agent.setup_error()["got"]


def test_address_that_was_there_stays(built: Path, machine: FakeMachine) -> None:
    with Agent(built / "p2pagent", machine, FAKE_ADDR="192.168.77.1/24") as agent:
        agent.setup()
        agent.result("teardown")
    assert not [line for line in machine.noted() if "addr add" in line or "addr del" in line]


@pytest.mark.parametrize(
    ("env", "step", "got"),
    [
        (
            {"FAIL_RDMA": "Operation not supported"},
            "rdma link add",
            "rdma exited with 3: error: Operation not supported",
        ),
        ({"FAIL_NVME": "1"}, "connect", "nvme exited with 1: Failed to write to /dev/nvme-fabrics"),
        ({"FAKE_GID": "fe80::"}, "rdma link add", "not within 1.0 s"),
        ({"FAKE_NQN": "another"}, "connect", "not within 1.5 s"),
    ],
)
def test_half_a_setup_is_taken_back(
    built: Path, machine: FakeMachine, env: dict[str, str], step: str, got: str
) -> None:
    with Agent(built / "p2pagent", machine, **env) as agent:
        error = agent.error("setup", scale=0.05 if "FAKE" in str(env) else 1.0, **SETUP)
        assert (error["step"], error["got"]) == (step, got)
        assert [line for line in machine.noted() if line.startswith("ip link set")]
        agent.result("teardown")
        assert [path for path in machine.made() if "class/nvme" not in path] == []
        assert machine.noted()[-1] == "ip link set dev eth0 mtu 1500 down"


def test_pool_that_does_not_come_back_fails_the_teardown(built: Path, machine: FakeMachine) -> None:
    machine.pool()
    with Agent(built / "p2pagent", machine, FAKE_LEAK=str(POOL - 4096)) as agent:
        agent.setup(provider="cmb")
        reply = agent.order("teardown", scale=0.05)
        assert reply["error"] == {
            "step": "pool",
            "expected": f"{POOL} bytes available",
            "got": f"{POOL - 4096} of {POOL} bytes, not within 1.5 s",
        }
        assert machine.made() == []
        machine.pool()
        assert agent.result("teardown")["pool"] == {"size": POOL, "available": POOL}


def test_fio_gets_the_job_and_the_device(agent: Agent, machine: FakeMachine) -> None:
    agent.setup()
    result = agent.result("fio", name="x", job="exit 0\n")
    assert (result["exit"], result["signal"]) == (0, 0)
    assert result["stdout"] == "exit 0\n"
    assert result["stderr"] == "a warning\n"
    assert result["duration_ns"] > 0
    assert f"DEV={machine.devfs}/nvme1n1" in machine.noted()


def test_fio_that_fails_is_the_harness_to_judge(agent: Agent) -> None:
    agent.setup()
    assert agent.result("fio", name="x", job="exit 4\n")["exit"] == 4
    assert agent.result("fio", name="x", job="kill -9 $$\n")["signal"] == 9


def test_fio_evidence_counts_the_paths_of_the_disk(agent: Agent) -> None:
    agent.setup()
    assert agent.result("fio", name="x", job="exit 0\n")["evidence"] == {
        "p2p": None,
        "pool": None,
        "device": {"reads": 3, "read_bytes": 24 * 512, "writes": 5, "write_bytes": 80 * 512},
    }


def test_fio_evidence_of_peer_memory(agent: Agent, machine: FakeMachine) -> None:
    machine.pool()
    agent.setup(provider="cmb")
    machine.p2p_counters(10, 40960, 1)
    namespace = machine.configfs / "nvmet/subsystems" / NQN / "namespaces/1"
    pool = machine.sysfs / "bus/pci/devices" / NVME_PCI / "p2pmem/available"
    job = (
        f"echo 17 > {namespace}/p2pmem_requests; echo 69632 > {namespace}/p2pmem_bytes; "
        f"echo 3 > {namespace}/p2pmem_fallbacks; echo 4096 > {pool}; sleep 0.2; "
        f"echo {POOL - 8} > {pool}; sleep 0.1\n"
    )
    evidence = agent.result("fio", name="x", job=job)["evidence"]
    assert evidence["p2p"] == {"requests": 7, "bytes": 28672, "fallbacks": 2}
    assert evidence["pool"].pop("samples") >= 5
    assert evidence["pool"] == {"size": POOL, "before": POOL, "low": 4096, "after": POOL - 8}


def test_fio_that_takes_too_long_is_killed(agent: Agent) -> None:
    agent.setup()
    reply = agent.order("fio", scale=0.1, name="slow", job="exec sleep 30\n", deadline_s=10)
    assert reply["error"] == {
        "step": "fio",
        "expected": 'fio to run "slow" to its end',
        "got": "fio still ran after 1.0 s and was killed",
    }
    assert reply["result"]["signal"] == signal.SIGTERM
    assert reply["result"]["stderr"] == "a warning\n"
    agent.result("memory")


def test_fio_that_cannot_be_run(agent: Agent, machine: FakeMachine) -> None:
    agent.setup()
    tool = machine.log.parent / "tools/fio"
    tool.unlink()
    tool.symlink_to("fio")
    error = agent.error("fio", name="x", job="")
    assert error["got"] == "cannot run fio: Too many levels of symbolic links"


@pytest.mark.parametrize(
    "order", [("fio", {"name": "x", "job": "y"}), ("pattern", {"direction": "fabric-to-target"})]
)
def test_nothing_runs_before_a_setup(agent: Agent, order: tuple[str, dict[str, Any]]) -> None:
    assert agent.error(order[0], **order[1])["got"] == 'none: order "setup" first'


@pytest.mark.parametrize("direction", ["target-to-fabric", "fabric-to-target"])
def test_pattern_passes_when_both_ends_see_the_same_disk(agent: Agent, direction: str) -> None:
    agent.setup()
    result = agent.result("pattern", bytes=65536, block=4096, seed=5, direction=direction)
    assert result["bytes"] == 65536


@pytest.mark.parametrize("direction", ["target-to-fabric", "fabric-to-target"])
def test_pattern_fails_when_the_data_does_not_arrive(
    built: Path, machine: FakeMachine, direction: str
) -> None:
    with Agent(built / "p2pagent", machine, FABRIC_IS="other") as agent:
        agent.setup()
        error = agent.error("pattern", bytes=65536, block=4096, seed=5, direction=direction)
        assert error["step"] == "pattern"
        assert "offset 0: " in error["expected"] and error["got"].startswith("offset 0: ")
        assert error["expected"].split("offset")[1] != error["got"].split("offset")[1]


def test_pattern_of_an_earlier_order_does_not_pass_for_this_one(
    built: Path, machine: FakeMachine
) -> None:
    pattern: dict[str, Any] = {"bytes": 65536, "block": 4096, "seed": 5}
    with Agent(built / "p2pagent", machine, FABRIC_IS="other") as agent:
        agent.setup()
        agent.result("pattern", direction="target-to-fabric", half="write", **pattern)
        agent.result("pattern", direction="fabric-to-target", half="check", **pattern)
        error = agent.error("pattern", direction="fabric-to-target", **pattern)
        assert "offset 0: " in error["expected"]


def test_pattern_ends_although_the_pool_is_never_seen_in_use(
    agent: Agent, machine: FakeMachine
) -> None:
    machine.pool()
    agent.setup(provider="cmb")
    started = time.monotonic()
    pool = agent.result(
        "pattern", scale=0.1, bytes=4096, block=4096, seed=5, direction="fabric-to-target"
    )["evidence"]["pool"]
    assert time.monotonic() - started >= 0.2
    assert pool.pop("samples") > 0
    assert pool == {"size": POOL, "before": POOL, "low": POOL, "after": POOL}


def test_pattern_of_another_seed_is_another(agent: Agent, machine: FakeMachine) -> None:
    agent.setup()
    agent.result("pattern", bytes=65536, block=4096, seed=5, direction="fabric-to-target")
    disk = machine.devfs / "nvme0n1"
    first = disk.read_bytes()[:65536]
    agent.result("pattern", bytes=65536, block=4096, seed=6, direction="fabric-to-target")
    second = disk.read_bytes()[:65536]
    assert sum(a != b for a, b in zip(first, second)) > 65000


def test_eof_takes_everything_back(agent: Agent, machine: FakeMachine) -> None:
    agent.setup()
    assert machine.made()
    assert agent.end() == 0
    assert machine.made() == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_takes_everything_back(agent: Agent, machine: FakeMachine, how: int) -> None:
    agent.setup()
    assert agent.end(how) == 0
    assert machine.made() == []


def test_signal_ends_a_running_fio(agent: Agent, machine: FakeMachine) -> None:
    agent.setup()
    agent.send('{"id": 2, "order": "fio", "args": {"name": "x", "job": "exec sleep 60"}}')
    while f"DEV={machine.devfs}/nvme1n1" not in machine.noted():
        pass
    assert agent.end(signal.SIGTERM) == 0
    assert machine.made() == []


def test_poweroff_ends_an_ordinary_program(agent: Agent) -> None:
    assert agent.result("poweroff") == {}
    assert agent.process.wait(timeout=10) == 0


def test_shell_is_for_guests(agent: Agent) -> None:
    assert agent.error("shell")["step"] == "shell"


def test_wrong_options_are_refused(built: Path) -> None:
    done = subprocess.run([built / "p2pagent", "--sysfss", "/x"], capture_output=True, check=False)
    assert done.returncode == 2
    assert b"usage:" in done.stderr


def test_unit_tests_in_c_pass(built: Path) -> None:
    source = Path(__file__).parents[2] / "bench/agent"
    done = subprocess.run(
        ["make", "-s", "-C", source, f"O={built}", "check"],
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("1..")

# SPDX-License-Identifier: GPL-2.0
"""A testbed that is not QEMU: the agent as a process, on a machine of files, by the same run."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from faketree import FakeMachine

from p2pbench.base import program
from p2pbench.base.errors import BenchError
from p2pbench.linux.kernel import Kernel
from p2pbench.linux.variants import find_variant
from p2pbench.measure import run as running
from p2pbench.measure.run import Run
from p2pbench.report import build
from p2pbench.testbed import config, local
from p2pbench.testbed.local import Devices, LocalTestbed
from p2pbench.testbed.machine import Shape
from p2pbench.testbed.qemu_testbed import QemuTestbed
from p2pbench.testbed.testbeds import open_testbed

TESTS = Path(__file__).parents[1]
FIO_JSON = TESTS / "data" / "fio" / "randwrite-4k-qd4-verify.json"
SHAPE = Shape(memory=1 << 30, cpus=1, disk=1 << 20, cmb=0, bar=0)
MATRIX = """\
testbed = "qemu"
blocks = 1

[[boots]]
variant = "page"
providers = "host"

[[workloads]]
rw = "randwrite"
bs = "4k"
iodepth = 4
size = "1m"
verify = "crc32c"
"""
# What fio would print, and would have the fabric's disk count; nothing takes time here.
FIO = f"""\
for arg; do case "$arg" in --output=*) output="${{arg#--output=}}" ;; esac; done
echo "999 0 9999 0 999 0 9999 0 0 0 0" > "$SYSFS/class/block/nvme1c1n1/stat"
sed 's/"jobname" : "[^"]*"/"jobname" : "randwrite-4k-qd4-verify"/
	s/runtime" : [0-9]*/runtime" : 1/' {FIO_JSON} > "$output"
"""


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    """A machine of files, on which fio always says the same."""
    shim = tmp_path / "fake.so"
    sources = [TESTS / "agent" / name for name in ("fake_configfs.c", "fake_disk.c")]
    subprocess.run(
        ["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", shim, *sources, "-ldl"], check=True
    )
    made = FakeMachine(tmp_path / "machine", shim)
    fio = tmp_path / "machine" / "tools" / "fio"
    fio.write_text(f"#!/bin/sh\n{FIO}")
    return made


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """What a run keeps of the kernel that runs."""
    directory = tmp_path / "kernel"
    directory.mkdir()
    (directory / "static.json").write_text(json.dumps({"structs": {}, "series": []}))
    (directory / "build.json").write_text(json.dumps({"base": {"package": "linux-source-6.1"}}))
    return Kernel(find_variant("page"), "bench", "0", directory)


def devices(machine: FakeMachine) -> Devices:
    """The devices of that machine, and where its agent finds them."""
    roots = {
        "--sysfs": machine.sysfs,
        "--procfs": machine.procfs,
        "--configfs": machine.configfs,
        "--devfs": machine.devfs,
    }
    return Devices(
        "p2pbench",
        "eth0",
        variables=machine.env,
        arguments=[word for name, path in roots.items() for word in (name, str(path))],
    )


def test_a_run_needs_no_qemu_where_its_testbed_has_none(
    machine: FakeMachine, kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_tool = program.find_tool

    def without_qemu(name: str) -> Path:
        assert not name.startswith("qemu"), name
        return find_tool(name)

    monkeypatch.setattr(program, "find_tool", without_qemu)
    monkeypatch.setattr(running, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(running, "expected", lambda *_: kernel)
    monkeypatch.setattr(running, "build", lambda *_: kernel)
    (tmp_path / "own.toml").write_text(MATRIX)
    run = Run.new(tmp_path / "own.toml", 1)
    run.testbed = LocalTestbed("local", SHAPE, devices(machine))
    run.prepare(run.plan)
    run.begin(run.plan, run.estimate(run.plan))
    record = run.execute(run.plan[0], lambda *_: None, lambda _: None)
    assert record["status"] == "ok", record
    assert [entry["status"] for entry in record["workloads"]] == ["ok"], record["workloads"]
    assert "link delete rxe0" in "".join(machine.noted())  # it was taken down again
    report = build.build(run.directory / "journal.jsonl")
    assert report["ok"] and report["environment_class"] == "hardware"


def test_an_agent_that_ends_is_a_lost_machine_with_its_last_words(
    machine: FakeMachine, kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = tmp_path / "agent"
    agent.write_text("#!/bin/sh\necho no such option >&2\nexit 3\n")
    agent.chmod(0o755)
    monkeypatch.setattr(local, "build_agent", lambda: agent)
    testbed = LocalTestbed("local", SHAPE, devices(machine))
    boot: Any = None
    with pytest.raises(local.LostMachine) as caught:
        with testbed.machine(boot, kernel, "", tmp_path / "console", None):
            raise AssertionError("it was never ready")
    assert caught.value.lost.reason == "the agent ended with exit status 3"
    assert caught.value.lost.console == ["no such option"]


def test_a_testbed_whose_file_names_devices_is_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "CONFIGS", tmp_path)
    (tmp_path / "testbed").mkdir()
    file = tmp_path / "testbed" / "host.toml"
    sizes = 'memory = "1g"\ncpus = 2\ndisk = "1g"\ncmb = "1m"\nbar = "1g"\n'
    file.write_text(sizes)
    assert isinstance(open_testbed("host"), QemuTestbed)
    file.write_text(sizes + '[local]\nnvme_serial = "S1"\nnetdev = "eth1"\nbar_pci = "1:2"\n')
    testbed = open_testbed("host")
    assert isinstance(testbed, LocalTestbed)
    assert testbed.provenance()["testbed"]["netdev"] == "eth1"
    file.write_text(sizes + '[local]\nnvme_serial = "S1"\n')
    with pytest.raises(BenchError, match='host.toml:6: key "netdev" is missing'):
        open_testbed("host")


def test_a_network_card_is_never_guessed() -> None:
    with pytest.raises(BenchError, match="no network card is named, and none is guessed"):
        LocalTestbed("local", SHAPE, Devices("p2pbench", ""))

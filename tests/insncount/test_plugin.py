# SPDX-License-Identifier: GPL-2.0
"""The plugin in a real QEMU: exact counts of a guest of a few instructions, and what it refuses."""

import os
import subprocess
from pathlib import Path

import pytest

from p2pbench.base.program import find_tool
from p2pbench.records.virtual_time import ICOUNT
from p2pbench.testbed import instruments
from p2pbench.testbed.accelerators import Accelerator

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guest whose instructions are counted."""
    return assembled("guest", tmp_path_factory.mktemp("guest"))


def assembled(name: str, directory: Path) -> Path:
    """A guest of tests/insncount as a file that QEMU's -kernel takes."""
    program = directory / name
    subprocess.run(
        [
            "gcc",
            "-m32",
            "-nostdlib",
            "-static",
            "-Wl,--build-id=none",
            "-Wl,-Ttext=0x100100",
            "-Wl,--section-start=.multiboot=0x100000",
            "-Wl,-z,noseparate-code",
            "-o",
            program,
            HERE / f"{name}.S",
        ],
        check=True,
    )
    return program


@pytest.fixture(scope="module")
def plugin() -> Path:
    """The plugin for the interface that this QEMU has."""
    instrument = instruments.choose(Accelerator("tcg", ""))
    assert instrument.plugin, instrument.reason
    return instrument.plugin


def address(guest: Path, name: str) -> int:
    done = subprocess.run(["nm", guest], capture_output=True, text=True, check=True)
    return next(
        int(line.split()[0], 16) for line in done.stdout.splitlines() if line.split()[2] == name
    )


def run(guest: Path, plugin: Path, directory: Path, *more: str) -> subprocess.CompletedProcess[str]:
    functions = directory / "functions"
    functions.write_text(
        "".join(f"{address(guest, name):x}\n" for name in ("first", "second", "string", "behind"))
    )
    argument = instruments._argument(plugin, functions, directory / "out")
    return subprocess.run(
        [
            find_tool("qemu-system-x86_64"),
            "-accel",
            "tcg",
            "-nodefaults",
            "-display",
            "none",
            "-device",
            "isa-debug-exit,iobase=0xf4,iosize=4",
            "-kernel",
            guest,
            "-plugin",
            argument,
            *more,
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )


def sections(out: Path) -> list[dict[int, int]]:
    found: list[dict[int, int]] = []
    for line in out.read_text().splitlines():
        if line.startswith("section"):
            found.append({})
        elif not line.startswith("end"):
            where, count = line.split()
            found[-1][int(where, 16)] = int(count)
    return found


def test_each_function_has_exactly_the_instructions_that_ran_between_the_marks(
    guest: Path, plugin: Path, tmp_path: Path
) -> None:
    done = run(guest, plugin, tmp_path)
    assert done.returncode == 1, done.stderr  # what isa-debug-exit makes of 0
    loop, last, _ = sections(tmp_path / "out")
    first, second = address(guest, "first"), address(guest, "second")
    assert (loop[first], loop[second]) == (3 * 1000, 3 * 1000 + 1)
    assert first not in last and last[second] == 4


def test_the_qemu_decides_what_a_string_instruction_counts(
    guest: Path, plugin: Path, tmp_path: Path
) -> None:
    """Each of 100 repetitions and the look that ends them, or all of them as one; and a ret."""
    run(guest, plugin, tmp_path)
    string = sections(tmp_path / "out")[2][address(guest, "string")]
    assert string == {1: 100 + 1 + 1, 4: 1 + 1}[instruments.choose(Accelerator("tcg", "")).api]


def test_a_comma_in_a_path_reaches_the_plugin(guest: Path, plugin: Path, tmp_path: Path) -> None:
    directory = tmp_path / "a,b"
    directory.mkdir()
    run(guest, plugin, directory)
    assert len(sections(directory / "out")) == 3


def test_more_than_one_cpu_is_refused(guest: Path, plugin: Path, tmp_path: Path) -> None:
    done = run(guest, plugin, tmp_path, "-smp", "2")
    assert done.returncode != 0
    assert "one virtual CPU only" in done.stderr


@pytest.mark.parametrize(
    "start, end, done",
    [
        ("", "", False),
        ("store", "stored", True),
        ("_start", "behind", True),
        ("stored", "behind", False),
        ("_start", "store", False),
    ],
)
@pytest.mark.parametrize("clock", [(), ("-icount", "shift=0,sleep=off")])
def test_a_device_is_done_after_a_store_in_the_range_and_at_work_after_another(
    plugin: Path, tmp_path: Path, start: str, end: str, done: bool, clock: tuple[str, ...]
) -> None:
    device = assembled("device", tmp_path)
    (tmp_path / "functions").write_text(f"{address(device, 'behind'):x}\n")
    sync = (address(device, start), address(device, end)) if start else None
    argument = instruments._argument(plugin, tmp_path / "functions", tmp_path / "out", sync)
    ended = subprocess.run(
        [
            find_tool("qemu-system-x86_64"),
            "-accel",
            "tcg",
            "-nodefaults",
            "-display",
            "none",
            "-device",
            "isa-debug-exit,iobase=0xf4,iosize=4",
            "-device",
            "edu,addr=4",
            "-kernel",
            device,
            "-plugin",
            argument,
            *clock,
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == (1 if done else 3), ended.stderr


@pytest.mark.parametrize("sync", ["", "10", "10:", "20:10", "10:10", "10:20x", "x:20"])
def test_a_range_that_is_none_is_refused(plugin: Path, tmp_path: Path, sync: str) -> None:
    (tmp_path / "functions").write_text("1000\n")
    argument = instruments._argument(plugin, tmp_path / "functions", tmp_path / "out")
    done = subprocess.run(
        [
            find_tool("qemu-system-x86_64"),
            "-machine",
            "none",
            "-display",
            "none",
            "-plugin",
            f"{argument},sync={sync}",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert f"expected two ascending addresses in hex, START:END: {sync}" in done.stderr


@pytest.mark.parametrize("text", ["", "ffff\nfff0\n", "no address\n"])
def test_a_list_of_functions_that_is_none_is_refused(
    plugin: Path, tmp_path: Path, text: str
) -> None:
    (tmp_path / "functions").write_text(text)
    argument = instruments._argument(plugin, tmp_path / "functions", tmp_path / "out")
    done = subprocess.run(
        [
            find_tool("qemu-system-x86_64"),
            "-machine",
            "none",
            "-display",
            "none",
            "-plugin",
            argument,
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "address" in done.stderr


def test_qemu_loads_the_plugin_of_one_interface_and_the_provenance_says_which() -> None:
    plugins = instruments.build_plugins()
    (api,) = [api for api, plugin in plugins.items() if not instruments.refusal(plugin)]
    instrument = instruments.choose(Accelerator("tcg", ""))
    assert (instrument.name, instrument.plugin) == ("insncount", plugins[api])
    assert instrument.provenance()["api"] == api


def test_a_guest_that_is_counted_keeps_virtual_time_where_qemu_can() -> None:
    instrument = instruments.choose(Accelerator("tcg", ""))
    assert instrument.icount == "shift=0,sleep=off" and instrument.real_time == ""
    assert instrument.provenance()["icount"] == instrument.icount


def test_a_qemu_that_does_not_take_icount_still_counts_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qemu = tmp_path / "qemu-system-x86_64"
    qemu.write_text(
        '#!/bin/sh\ncase " $* " in *" -icount "*)\n'
        'echo "qemu: -icount: invalid option" >&2; exit 1;;\nesac\n'
        f'exec {find_tool("qemu-system-x86_64")} "$@"\n'
    )
    qemu.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    instrument = instruments.choose(Accelerator("tcg", ""))
    assert (instrument.name, instrument.icount, instrument.reason) == ("insncount", "", "")
    assert instrument.plugin and instrument.plugin.is_file()
    assert instrument.real_time.startswith("QEMU emulator version")
    assert f"does not take -icount {ICOUNT}: qemu: -icount: invalid " in instrument.real_time
    assert instrument.provenance()["real_time"] == instrument.real_time


def test_a_guest_under_kvm_keeps_the_time_of_the_host() -> None:
    instrument = instruments.choose(Accelerator("kvm", ""))
    assert (instrument.name, instrument.icount) == ("perf stat", "")
    assert instrument.real_time == "a guest under kvm keeps the host's time"


def test_the_plugins_are_built_once() -> None:
    assert instruments.build_plugins() == instruments.build_plugins()


def test_plugins_that_do_not_load_are_named_with_the_qemu_and_their_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = {api: tmp_path / f"broken-{api}.so" for api in instruments.APIS}
    for plugin in plugins.values():
        plugin.write_text("no library")
    monkeypatch.setattr(instruments, "build_plugins", lambda: plugins)
    instrument = instruments.choose(Accelerator("tcg", ""))
    assert (instrument.name, instrument.plugin, instrument.order) == ("", None, "none")
    assert instrument.provenance() == {
        "name": "",
        "reason": instrument.reason,
        "sha256": "",
        "icount": "",
        "real_time": "QEMU loads no plugin",
    }
    first, second = instrument.reason.split("; ")
    for reason, name in ((first, "broken-1.so"), (second, "broken-4.so")):
        assert reason.startswith("QEMU emulator version")
        assert f"does not load {name}: " in reason
        assert "file too short" in reason or "invalid ELF header" in reason
    counter = instruments.Counter(instrument, "page", [], tmp_path / "raw")
    assert counter.argument == ""
    counts = counter.counts({"ios": 10, "instructions": None})
    assert counts["per_io"] is None and counts["reason"] == instrument.reason


def test_the_cpus_own_counters_give_a_sum_and_say_so(tmp_path: Path) -> None:
    counter = instruments.Counter(instruments.choose(Accelerator("kvm", "")), "page", [], tmp_path)
    counts = counter.counts({"ios": 10, "instructions": 12340})
    assert (counts["instrument"], counts["per_io"], counts["functions"]) == ("perf stat", 1234, [])
    none = counter.counts({"ios": 10, "instructions": None, "reason": "expected a, got b"})
    assert (none["per_io"], none["reason"]) == (None, "expected a, got b")

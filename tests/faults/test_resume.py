# SPDX-License-Identifier: GPL-2.0
"""A run that is killed or interrupted loses no finished boot, and a resumed run repeats none."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from p2pbench.linux.kernel import Kernel
from support import qemu_children, start_bench, wait_gone

MATRIX = """\
blocks = 3

[[boots]]
variant = "page"
providers = "bar"

[[workloads]]
rw = "randread"
bs = "16k"
runtime = "300ms"
"""


@pytest.fixture
def matrix(tmp_path: Path, page_kernel: Kernel) -> str:
    path = tmp_path / "three.toml"
    path.write_text(MATRIX)
    return str(path)


def read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout
    text = ""
    for line in process.stdout:
        text += line
        if words in line:
            return text
    pytest.fail(f"the run ended before it printed {words!r}:\n{text}")


def wait_for_qemu(process: subprocess.Popen[str]) -> list[int]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if pids := qemu_children(process.pid):
            return pids
        time.sleep(0.02)
    pytest.fail("no guest was started within 60 s")


def boots(results: Path) -> list[str]:
    (journal,) = results.glob("*/journal.jsonl")
    lines = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
    return [line["boot"] for line in lines]


def test_a_run_that_is_killed_resumes_without_repeating_or_losing_a_boot(
    tmp_path: Path, matrix: str
) -> None:
    results = tmp_path / "results"
    process = start_bench(results, f"--matrix={matrix}")
    read_until(process, "[1/3]")
    guests = wait_for_qemu(process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_gone(guests)
    assert len(boots(results)) == 1
    (run,) = (path.name for path in results.iterdir())
    with (results / run / "journal.jsonl").open("a") as journal:
        journal.write('{"type": "boot", "boot": "b1-pa')

    resumed = start_bench(results, f"--resume={run}")
    text, _ = resumed.communicate()
    assert resumed.returncode == 0, text
    assert sorted(boots(results)) == ["b0-page-bar", "b1-page-bar", "b2-page-bar"]
    assert "2 boots" in text and "[2/2]" in text

    again = start_bench(results, f"--resume={run}")
    text, _ = again.communicate()
    assert again.returncode == 0, text
    assert len(boots(results)) == 3


def test_ctrl_c_ends_the_guest_and_says_how_to_go_on(tmp_path: Path, matrix: str) -> None:
    results = tmp_path / "results"
    process = start_bench(results, f"--matrix={matrix}")
    read_until(process, "[1/3]")
    guests = wait_for_qemu(process)
    os.killpg(process.pid, signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    wait_gone(guests)
    assert process.returncode == 130
    assert "2 of 3 boots have not run" in text and "make bench RESUME=" in text
    assert len(boots(results)) == 1


def of_other_patches(header: dict[str, Any]) -> None:
    header["kernels"]["page"] = "0123456789abcdef"


def of_another_qemu(header: dict[str, Any]) -> None:
    header["provenance"]["tools"]["qemu"] = "QEMU 10"


@pytest.mark.parametrize(
    "change, told",
    [
        (of_other_patches, "began with another build of page"),
        (of_another_qemu, "began with another QEMU (QEMU 10, now QEMU emulator version"),
    ],
)
def test_a_run_of_other_patches_or_another_qemu_is_not_resumed(
    tmp_path: Path, matrix: str, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    results = tmp_path / "results"
    process = start_bench(results, f"--matrix={matrix}", "-k", "b0")
    text, _ = process.communicate()
    assert process.returncode == 0, text
    (journal,) = results.glob("*/journal.jsonl")
    header, *rest = journal.read_text().splitlines()
    data = json.loads(header)
    change(data)
    data["plan"].append(data["plan"][0] | {"boot": "b1-page-bar", "block": 1, "index": 1})
    journal.write_text("\n".join([json.dumps(data), *rest]) + "\n")
    resumed = start_bench(results, f"--resume={journal.parent.name}")
    text, _ = resumed.communicate()
    assert resumed.returncode == 4
    assert told in text


def test_an_unknown_run_names_those_that_there_are(tmp_path: Path) -> None:
    process = start_bench(tmp_path, "--resume=nothing")
    text, _ = process.communicate()
    assert process.returncode == 4
    assert 'no run "nothing": expected the name of a run' in text


@pytest.mark.parametrize("option", ["matrix=smoke", "seed=3", "budget=5s"])
def test_a_resumed_run_goes_on_as_it_began_or_not_at_all(tmp_path: Path, option: str) -> None:
    process = start_bench(tmp_path, "--resume=any", f"--{option}")
    text, _ = process.communicate()
    name = option.split("=")[0].upper()
    assert process.returncode == 4 and f"leave {name} out with RESUME" in text

# SPDX-License-Identifier: GPL-2.0
"""Whatever signal ends a run, what there is has a report, and one line says how to go on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from straw import BOOTS, Straw
from support import eventually, is_running, qemu_children

HANGS = {"b1-page-bar": {"at": "fio", "do": "hang"}}
ENDINGS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


def start_until_it_hangs(straw: Straw) -> tuple[subprocess.Popen[str], int]:
    """Start a run whose second boot hangs; return it and that boot's guest."""
    straw.behave(HANGS)
    process = straw.start(f"--matrix={straw.matrix}")
    eventually(lambda: list(straw.results.glob("*/console/b1-page-bar.log")))
    eventually(lambda: qemu_children(process.pid))
    (guest,) = qemu_children(process.pid)
    return process, guest


@pytest.mark.parametrize(("number", "status"), ENDINGS)
def test_a_signal_ends_the_guest_writes_the_report_and_says_how_to_go_on(
    straw: Straw, number: int, status: int
) -> None:
    process, guest = start_until_it_hangs(straw)
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == status, err
    eventually(lambda: not is_running(guest))
    (run,) = straw.runs()
    name = signal.Signals(number).name
    assert err.splitlines() == [
        f"ended by {name}; 2 of 3 boots have not run and 0 were lost; go "
        f"on with: make bench RESUME={run.name}"
    ]
    assert "Traceback" not in out and "NOT WHOLE" in out
    assert (run / "report.html").is_file()
    assert [straw.cases()[boot] for boot in BOOTS] == ["", "error", "error"]

    straw.behave({})
    again = straw.bench(f"--resume={run.name}")
    assert again.returncode == 0, again.stdout + again.stderr
    assert [straw.cases()[boot] for boot in BOOTS] == ["", "", ""]
    assert len(straw.cases()) == 2 * len(BOOTS) + 1


def test_a_second_signal_ends_the_run_at_once_and_the_guest_with_it(straw: Straw) -> None:
    process, guest = start_until_it_hangs(straw)
    (run,) = straw.runs()
    # Nobody reads of it: with the first signal the run comes to its report, and stays there.
    os.mkfifo(run / f".report.json.{process.pid}.tmp")
    process.send_signal(signal.SIGTERM)
    while process.poll() is None:
        time.sleep(0.6)
        process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, err) == (143, "ended by SIGTERM\n")
    assert "Traceback" not in out
    eventually(lambda: not is_running(guest))


def test_one_end_that_is_told_twice_is_one_end(straw: Straw) -> None:
    process, _ = start_until_it_hangs(straw)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate()
    assert "2 of 3 boots have not run" in err
    assert process.returncode in (129, 143)
    assert (straw.runs()[0] / "report.html").is_file()


def test_make_passes_a_signal_on_and_waits_for_the_report(straw: Straw) -> None:
    straw.behave(HANGS)
    process = straw.start_program(["make", "bench", f"MATRIX={straw.matrix}"])
    eventually(lambda: list(straw.results.glob("*/console/b1-page-bar.log")))
    os.killpg(process.pid, signal.SIGTERM)
    _, err = process.communicate()
    assert "go on with: make bench RESUME=" in err and "Traceback" not in err
    assert (straw.runs()[0] / "report.html").is_file()


def test_what_a_shell_told_to_ignore_is_ignored(straw: Straw) -> None:
    straw.behave({"b1-page-bar": {"at": "fio", "do": "wait"}})
    process = straw.start(f"--matrix={straw.matrix}", wrapper='trap "" HUP; exec "$@"')
    eventually(lambda: list(straw.results.glob("*/console/b1-page-bar.log")))
    process.send_signal(signal.SIGHUP)
    straw.go()
    out, err = process.communicate()
    assert (process.returncode, err) == (0, ""), out


@pytest.mark.parametrize(("number", "status"), ENDINGS)
def test_a_kernels_build_ends_with_one_line_and_leaves_no_compiler(
    straw: Straw, tmp_path: Path, number: int, status: int
) -> None:
    pid = tmp_path / "pid"
    compiler = straw.programs / "gcc"
    compiler.write_text(f"#!/bin/sh\necho $$ >{pid}.new; mv {pid}.new {pid}; exec sleep 1000\n")
    compiler.chmod(0o755)
    try:
        process = straw.start_program([sys.executable, "-m", "p2pbench", "linux"])
        eventually(pid.exists)
        process.send_signal(number)
        _, err = process.communicate()
    finally:
        compiler.unlink()
    assert process.returncode == status
    assert err == f"ended by {signal.Signals(number).name}\n"
    eventually(lambda: not is_running(int(pid.read_text())))

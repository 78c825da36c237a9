# SPDX-License-Identifier: GPL-2.0
"""Boots that only count run beside each other, and beside no other; nothing of that is lost."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from p2pbench.testbed import limits
from straw import COUNTS, MATRIX, Straw
from support import eventually, qemu_children, wait_gone

pytestmark = pytest.mark.skipif(limits.cpus() < 2, reason="one CPU runs one boot at a time")

COUNTING = ["b0-page-count", "b0-page-count-aa"]
LATER = ["b1-page-count", "b1-page-count-aa"]
TIMED = ["b0-page-bar", "b1-page-bar"]


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    """Two blocks of a boot that is timed and two that count."""
    path = tmp_path / "beside.toml"
    path.write_text(MATRIX.replace("blocks = 3", "blocks = 2") + COUNTS)
    return path


def journal(straw: Straw) -> dict[str, dict[str, Any]]:
    """Return the last line of each boot that is in the journal."""
    (run,) = straw.runs()
    records = map(json.loads, (run / "journal.jsonl").read_text().splitlines()[1:])
    return {record["boot"]: record for record in records}


def start_until_both_count(
    straw: Straw, matrix: Path, do: str
) -> tuple[subprocess.Popen[str], list[int]]:
    """Start a run whose first two boots that count do something; return it and their guests."""
    straw.behave({boot: {"at": "count", "do": do} for boot in COUNTING})
    process = straw.start(f"--matrix={matrix}")
    eventually(lambda: process.poll() is not None or len(qemu_children(process.pid)) == 2)
    assert process.poll() is None, process.communicate()
    return process, qemu_children(process.pid)


def check_that_the_rest_runs(straw: Straw, boots: int) -> None:
    """Resume the run: so many boots are left of it, and then it is whole."""
    (run,) = straw.runs()
    straw.behave({})
    again = straw.bench(f"--resume={run.name}")
    assert again.returncode == 0, again.stdout + again.stderr
    assert f": {boots} boots, " in again.stdout and f"[{boots}/{boots}] " in again.stdout
    assert {record["status"] for record in journal(straw).values()} == {"ok"}
    assert journal(straw).keys() == {*TIMED, *COUNTING, *LATER}


def test_two_that_count_run_at_once_and_one_that_is_timed_beside_none(
    straw: Straw, matrix: Path
) -> None:
    process, _ = start_until_both_count(straw, matrix, "wait")
    straw.go()
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    orders = [boot for boot, _ in straw.orders()]
    spans = {
        boot: orders[orders.index(boot) : len(orders) - orders[::-1].index(boot)] for boot in orders
    }
    assert set(spans[COUNTING[0]] + spans[COUNTING[1]]) == set(COUNTING)
    for boot in TIMED:
        assert set(spans[boot]) == {boot}
    ended = [line for line in out.splitlines() if " in " in line and line.startswith("[")]
    assert [line.split()[0] for line in ended] == [f"[{number}/6]" for number in range(1, 7)]
    assert [line.split()[1].rstrip(":") for line in ended] == list(journal(straw))


def test_what_both_take_counts_once_as_time_of_the_run(straw: Straw, matrix: Path) -> None:
    process, _ = start_until_both_count(straw, matrix, "wait")
    straw.go()
    process.communicate()
    records = journal(straw)
    first, second = sorted((records[boot] for boot in COUNTING), key=list(records.values()).index)
    assert first["took_s"] >= first["duration_s"] > 0
    assert second["took_s"] < second["duration_s"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_both_and_they_count_as_not_run(
    straw: Straw, matrix: Path, number: int, status: int
) -> None:
    process, guests = start_until_both_count(straw, matrix, "hang")
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == status, err
    wait_gone(guests)
    assert "5 of 6 boots have not run and 0 were lost" in err and "Traceback" not in out + err
    assert journal(straw).keys() == {TIMED[0]}
    check_that_the_rest_runs(straw, 5)


def test_a_harness_that_is_killed_leaves_neither(straw: Straw, matrix: Path) -> None:
    process, guests = start_until_both_count(straw, matrix, "hang")
    process.kill()
    process.communicate()
    wait_gone(guests)
    check_that_the_rest_runs(straw, 5)


def test_one_that_ends_is_written_although_the_one_before_it_still_runs(
    straw: Straw, matrix: Path
) -> None:
    for hanging, ended in (COUNTING, COUNTING[::-1]):
        straw.behave({hanging: {"at": "count", "do": "hang"}})
        process = straw.start(f"--matrix={matrix}")
        eventually(lambda: straw.runs() and ended in journal(straw))
        (guest,) = qemu_children(process.pid)
        process.kill()
        process.communicate()
        wait_gone([guest])
        check_that_the_rest_runs(straw, 4)
        (run,) = straw.runs()
        run.rename(matrix.parent / ended)


def test_one_that_is_lost_does_not_take_the_other_with_it(straw: Straw, matrix: Path) -> None:
    straw.behave(
        {COUNTING[0]: {"at": "count", "do": "die"}, COUNTING[1]: {"at": "count", "do": "wait"}}
    )
    process = straw.start(f"--matrix={matrix}")
    eventually(lambda: straw.runs() and COUNTING[0] in journal(straw))
    straw.go()
    out, _ = process.communicate()
    assert process.returncode == 1, out
    statuses = {boot: record["status"] for boot, record in journal(straw).items()}
    assert statuses.pop(COUNTING[0]) == "lost"
    assert set(statuses.values()) == {"ok"} and len(statuses) == 5
    check_that_the_rest_runs(straw, 1)


def test_one_that_cannot_go_on_ends_the_run_and_the_other_counts_as_not_run(
    straw: Straw, matrix: Path
) -> None:
    straw.behave(
        {COUNTING[0]: {"at": "count", "do": "wait"}, COUNTING[1]: {"at": "count", "do": "hang"}}
    )
    process = straw.start(f"--matrix={matrix}")
    eventually(lambda: len(qemu_children(process.pid)) == 2)
    guests = qemu_children(process.pid)
    (run,) = straw.runs()
    (run / "raw" / COUNTING[0] / "insncount.txt").write_text("what no plugin wrote\n")
    straw.go()
    out, err = process.communicate()
    wait_gone(guests)
    assert process.returncode == 2 and "Traceback" not in out + err
    assert "expected section 1 alone" in err and "5 of 6 boots have not run" in err
    check_that_the_rest_runs(straw, 5)


def test_what_was_left_out_by_name_does_not_keep_the_rest_from_running_at_once(
    straw: Straw, matrix: Path
) -> None:
    straw.behave({boot: {"at": "count", "do": "wait"} for boot in (COUNTING[0], LATER[0])})
    process = straw.start(f"--matrix={matrix}", "-k", "count and not aa")
    eventually(lambda: process.poll() is not None or len(qemu_children(process.pid)) == 2)
    straw.go()
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    assert journal(straw).keys() == {COUNTING[0], LATER[0]}

# SPDX-License-Identifier: GPL-2.0
"""Which boots may run beside each other, how long that takes, and what becomes of each of them."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from p2pbench.base.errors import BenchError
from p2pbench.linux.symbols import Function
from p2pbench.measure import beside
from p2pbench.measure.boot import BootRun, Record
from p2pbench.measure.run import Estimate, Run
from p2pbench.plan.matrix import Boot
from p2pbench.plan.matrix_file import find_matrix, read_matrix
from p2pbench.records.kinds import COUNT, MEMORY, PLUGIN
from p2pbench.testbed.accelerators import Accelerator
from p2pbench.testbed.instruments import Counter, Instrument
from p2pbench.testbed.machine import Pace
from p2pbench.testbed.qemu import Guest
from p2pbench.testbed.qemu_testbed import QemuTestbed

KINDS = {"f": "fio", "m": MEMORY, "c": COUNT}


def plan(*blocks: str) -> list[Boot]:
    """Return boots of the kinds that the letters of each block name."""
    kinds = [(block, letter) for block, letters in enumerate(blocks) for letter in letters]
    return [
        Boot(f"b{block}-{index}{letter}", index, block, "page", "bar", kind=KINDS[letter])
        for index, (block, letter) in enumerate(kinds)
    ]


@pytest.mark.parametrize(
    ("blocks", "place", "in_its_block", "found"),
    [
        (("fcc", "fcc"), 1, False, [2]),
        (("fcc", "fcc"), 2, False, []),
        (("fcc", "fcc"), 0, False, []),
        (("mcc",), 0, False, []),
        (("ccmc",), 0, False, [1]),
        (("fcc", "ccc", "cf"), 1, False, [2, 3, 4, 5, 6]),
        (("fcc", "ccc", "cf"), 1, True, [2]),
        (("fcc", "ccc", "cf"), 3, True, [4, 5]),
    ],
)
def test_only_boots_that_count_run_beside_one_that_counts(
    blocks: tuple[str, ...], place: int, in_its_block: bool, found: list[int]
) -> None:
    boots = plan(*blocks)
    followers = beside.followers(boots, boots[place], in_its_block)
    assert [boot.index for boot in followers] == found


@pytest.mark.parametrize(
    ("block", "at_once", "seconds"),
    [
        ("ff", 2, 20),
        ("ccc", 1, 30),
        ("ccc", 2, 20),
        ("cccc", 2, 20),
        ("ccc", 8, 10),
        ("fccfcc", 2, 40),
        ("", 2, 0),
    ],
)
def test_what_runs_at_once_takes_less_of_the_clock(
    block: str, at_once: int, seconds: float
) -> None:
    boots = plan(block)
    assert beside.wall_s(boots, {boot.boot: 10.0 for boot in boots}, at_once) == seconds


class Straw:
    """Boots of straw: each is in a stage, then waits until it is told how it ends."""

    def __init__(self, running: beside.Running, *names: str) -> None:
        self.running = running
        self._ends = {name: threading.Event() for name in names}
        self._how: dict[str, Any] = {}
        for name in names:
            running.begin(name, self._work(name), self._stop(name))

    def end(self, name: str, how: Any = None) -> None:
        self._how[name] = how
        self._ends[name].set()

    def _work(self, name: str) -> Callable[[], Record]:
        def work() -> Record:
            self.running.say(name, "booting")
            self._ends[name].wait()
            if isinstance(self._how[name], BaseException):
                raise self._how[name]
            return {"boot": name}

        return work

    def _stop(self, name: str) -> Callable[[], None]:
        return lambda: self.end(name, OSError("its guest is gone"))


def test_records_come_in_the_order_in_which_boots_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 110.0, 112.0, 200.0, 207.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    running = beside.Running()
    straw = Straw(running, "first", "second")
    told: list[tuple[str, str]] = []
    straw.end("second")
    record = running.wait(lambda boot, stage: told.append((boot, stage)))
    assert record == {"boot": "second", "took_s": 10.0}
    assert "first" in running and "second" not in running and len(running) == 1
    straw.end("first")
    assert running.wait(print)["took_s"] == 2.0
    third = Straw(running, "third")  # the run did something else in between
    third.end("third")
    assert running.wait(print)["took_s"] == 7.0
    assert ("second", "booting") in told


def test_what_a_boot_raises_is_raised_where_they_are_waited_for() -> None:
    running = beside.Running()
    straw = Straw(running, "first", "second")
    straw.end("second", BenchError("cannot start QEMU"))
    with pytest.raises(BenchError, match="cannot start QEMU"):
        running.wait(lambda *_: None)
    assert "first" in running
    running.stop()
    assert len(running) == 0


def test_after_a_stop_neither_a_thread_nor_a_boot_is_left() -> None:
    before = threading.active_count()
    running = beside.Running()
    Straw(running, "first", "second")
    running.stop()
    assert threading.active_count() == before and "first" not in running


@pytest.mark.parametrize("early", [True, False])
def test_a_guest_that_is_stopped_before_it_is_started_ends_at_once(
    early: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever the boot's thread was doing when the run was ended."""
    boot = Boot("b0-page-bar", 0, 0, "page", "bar")
    run = BootRun(boot, read_matrix(find_matrix("smoke")), 1, tmp_path, lambda _: None)

    def command(guest: Guest, *_: int) -> list[str]:
        if not early:
            run.stop()
        return ["sleep", "1000"]

    monkeypatch.setattr(Guest, "_command", command)
    if early:
        run.stop()
    kernel: Any = None
    testbed = QemuTestbed("qemu", Accelerator("tcg", ""))
    record = run.run(testbed.machine(boot, kernel, "", tmp_path / "console.log", None))
    assert record["status"] == "lost" and "SIGKILL" in record["lost"]["reason"]


def test_only_the_first_boot_sets_the_pace() -> None:
    pace = Pace()
    for seconds in (10.0, 50.0):
        pace.booted(seconds)
    assert pace.scale == 2.0 and pace.boots == 2


MATRIX = """\
blocks = 2

[[boots]]
variant = "page"
providers = "bar"
blocks = 1

[[workloads]]
rw = "randread"
bs = "4k"
runtime = "500ms"

[[counts]]
variants = ["page", "pageless"]
rw = "randread"
bs = "4k"
ios = 100
"""


class Journal:
    """What a run asks of a journal."""

    def __init__(self) -> None:
        self.boots: list[str] = []
        self.skipped: dict[str, str] = {}
        self.spent_s = 0.0

    def append(self, record: Record) -> None:
        self.boots.append(record["boot"])


class Guests(beside.Running):
    """Guests of which the last one that began ends first; `together` are those that ran at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now: list[str] = []
        self.together: list[set[str]] = []

    def __contains__(self, boot: str) -> bool:
        return boot in self.now

    def __len__(self) -> int:
        return len(self.now)

    def wait(self, stage: Callable[[str, str], None]) -> Record:
        self.together.append(set(self.now))
        return {"boot": self.now.pop()}


def drive(run: Run, monkeypatch: pytest.MonkeyPatch, skip: str = "") -> tuple[Guests, Journal]:
    """Execute the boots of a run in their order, as its session would."""
    journal: Any = Journal()
    guests = Guests()
    run.journal, run._running = journal, guests
    monkeypatch.setattr(run, "_wait_for_kernels", lambda *_: None)
    monkeypatch.setattr(run, "_begin_boot", lambda boot: guests.now.append(boot.boot))
    estimate = run.estimate(run.plan)
    run.begin(run.plan, estimate)
    if skip:
        journal.skipped[skip] = "settled"
    for boot in run.plan:
        if boot.boot not in journal.skipped:
            assert run.execute(boot, lambda *_: None, lambda _: None)["boot"] == boot.boot
    return guests, journal


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(MATRIX)
    return path


def test_an_estimate_is_of_the_clock_and_learns_from_the_boots(matrix: Path) -> None:
    own = read_matrix(matrix)
    boots = [boot for boot in own.plan(1) if boot.kind == COUNT][:4]
    alone, pairs = Estimate(own, boots, 1, 6.0), Estimate(own, boots, 2, 6.0)
    one = alone.remaining_s() / 4
    assert pairs.remaining_s() == pairs.of(boots) == 2 * one
    pairs.done(boots[0].boot, 3 * one)
    assert pairs.remaining_s() == 3 * 2 * one
    pairs.skip(boots[1].boot)
    assert pairs.remaining_s() == 3 * one


@pytest.mark.parametrize("at_once", [1, 2, 3, 8])
def test_a_run_executes_each_boot_once_and_fills_what_it_has(
    matrix: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.new(matrix, 1)
    run.at_once = at_once
    guests, journal = drive(run, monkeypatch)
    assert sorted(journal.boots) == sorted(boot.boot for boot in run.plan)
    assert guests.together[0] == {"b0-page-bar"}
    counting = [boot.boot for boot in run.plan if boot.kind == COUNT]
    assert guests.together[1] == set(counting[:at_once])
    assert max(map(len, guests.together)) == min(at_once, len(counting))


def test_a_run_with_a_budget_begins_no_block_before_its_look(
    matrix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blocks(budget_s: float | None) -> list[set[str]]:
        run = Run.new(matrix, 1, budget_s)
        run.at_once = 2
        guests, _ = drive(run, monkeypatch)
        return [{boot.partition("-")[0] for boot in boots} for boots in guests.together]

    assert {"b0", "b1"} in blocks(None)
    assert {"b0", "b1"} not in blocks(600.0)


def test_a_boot_that_a_look_leaves_out_is_not_begun_beside_another(
    matrix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.new(matrix, 1)
    run.at_once = 2
    counting = [boot.boot for boot in run.plan if boot.kind == COUNT]
    guests, journal = drive(run, monkeypatch, skip=counting[1])
    assert counting[1] not in journal.boots
    assert guests.together[1] == {counting[0], counting[2]}


@pytest.mark.parametrize(
    ("instrument", "at_once"),
    [
        (Instrument(PLUGIN, icount="shift=0"), 4),
        (Instrument(PLUGIN), 1),
        (Instrument("perf stat"), 1),
    ],
)
def test_without_virtual_time_what_counts_runs_beside_nothing(
    instrument: Instrument, at_once: int, matrix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.new(matrix, 1)
    run.at_once, run.first = 4, run.plan[1:2]
    run.testbed.instrument = instrument
    run._heed_instrument()
    assert run.at_once == at_once
    assert bool(run.first) == (at_once > 1)


def test_a_list_of_functions_that_another_boot_is_reading_stays_whole(tmp_path: Path) -> None:
    instrument = Instrument(PLUGIN, tmp_path / "insncount.so")
    functions = [Function(address, "f", "fs/f.o", "other") for address in range(3)]
    Counter(instrument, "page", functions, tmp_path / "one")
    with (tmp_path / "functions-page.txt").open() as reading:
        Counter(instrument, "page", functions[:1], tmp_path / "two")
        assert reading.read() == "0\n1\n2\n"
    assert (tmp_path / "functions-page.txt").read_text() == "0\n"

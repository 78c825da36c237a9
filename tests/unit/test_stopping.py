# SPDX-License-Identifier: GPL-2.0
"""A run with a budget stops what is settled, goes on with what is open, and keeps its word."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from p2pbench.analysis.schedule import looks_of, plan_looks
from p2pbench.analysis.significance import ALPHA, fewest_pairs
from p2pbench.base.errors import BenchError
from p2pbench.base.units import in_words, parse_budget
from p2pbench.measure import stopping
from p2pbench.measure.run import Run
from p2pbench.measure.stopping import Budget
from p2pbench.plan.matrix_file import find_matrix
from p2pbench.records.journal import Journal, JournalError
from p2pbench.records.metrics import FAMILIES
from p2pbench.report import build, stopping_notes
from p2pbench.report.stopping_notes import first_decision

SPEED = {"page/host": 1e8, "page/bar": 1e8, "page/cmb": 1e8}


@pytest.fixture
def run(synthetic: Any) -> Any:
    """Twelve blocks at most; "bar" is settled at once, "cmb" never: its boots swing by a half."""
    made = synthetic(SPEED, blocks=12, noise=0.0001)
    made.header["stopping"] = (
        plan_looks(3, 12, 600.0).shared({"throughput": 2, "aa-throughput": 0}).as_json()
    )
    made.header["matrix"]["blocks"] = 3
    made.header["matrix"]["compare"] = [
        {
            "name": name,
            "title": name,
            "baseline": {"variant": "page", "provider": "host"},
            "candidate": {"variant": "page", "provider": name},
        }
        for name in ("bar", "cmb")
    ]
    for block in range(12):
        rate = 1e8 * (1.5 if block % 2 else 0.6)
        made.result(f"b{block}-page-cmb")["metrics"]["bytes_per_s"] = rate
    return made


def drive(run: Any, directory: Path, budget: Budget | None = None) -> Journal:
    """Append the boots as the runner would: a look when it is due, and no boot that it skips."""
    path = directory / "journal.jsonl"
    journal = Journal.open(path) if path.exists() else Journal.create(path, run.header)
    block = -1
    for boot in run.boots:
        if boot["boot"] in journal.finished():
            continue
        if boot["block"] != block:
            block = boot["block"]
            stopping.take_look(journal, block, 20.5 * len(journal.boots))
            if budget and not budget.holds(60):
                stopping.end_by_budget(journal, block, budget, 60)
        if boot["boot"] not in journal.skipped:
            journal.append(boot)
    return journal


def verdicts(made: dict[str, Any]) -> dict[str, tuple[str, int, float]]:
    return {
        one["name"]: (cell["verdict"], cell["look"], cell["ratio"])
        for one in made["compares"]
        for cell in one["cells"]
    }


def test_boots_whose_cells_are_settled_are_not_run_and_the_others_go_on(
    run: Any, tmp_path: Path
) -> None:
    journal = drive(run, tmp_path)
    ran = {boot["boot"] for boot in journal.boots}
    assert {f"b{block}-page-bar" for block in range(12)} & ran == {
        f"b{block}-page-bar" for block in range(3)
    }
    assert {f"b{block}-page-{name}" for block in range(12) for name in ("host", "cmb")} <= ran
    assert journal.skipped["b7-page-bar"] == "every cell of it is settled (look 1, after 3 blocks)"


def test_looks_that_fall_due_together_are_one_look(run: Any, tmp_path: Path) -> None:
    """The blocks between were left out: the last look that is due is taken, and none twice."""
    journal = Journal.create(tmp_path / "journal.jsonl", run.header)
    for boot in run.boots:
        journal.append(boot)
        if boot["block"] == 11:
            break
    assert stopping.take_look(journal, 8, 1.0)
    taken = [look.record["look"] for look in journal.looks]
    assert len(taken) == 1 and taken[0] > 1
    assert not stopping.take_look(journal, 8, 1.0) and len(journal.looks) == 1


def test_a_skipped_boot_is_no_gap_and_no_failure(run: Any, tmp_path: Path) -> None:
    drive(run, tmp_path)
    made = build.write(tmp_path)
    assert made["ok"], made["problems"]
    assert (
        "after 3, 5, 8, 12 blocks, as far as it came; intervals are of 98.75 %, better or "
        "worse can be found from 8 blocks on with a p of at most 2.5 % after Holm, since with "
        "fewer no p is that small; so all looks together stay at 5 % for each metric; a "
        "verdict stays as it is"
    ) in made["notes"][0]
    assert made["notes"][1] == (
        "9 boots were skipped: every cell of it is settled (look 1, after 3 blocks)"
    )
    assert made["not_run"] == [] and made["totals"]["boots"]["skipped"] == 9
    assert made["stopping"]["skipped_boots"] == [f"b{block}-page-bar" for block in range(3, 12)]
    assert made["compares"][0]["cells"][0]["missing"] == []
    assert {k: made["stopping"][k] for k in ("looks", "used_looks", "settled", "open")} == {
        "looks": [3, 5, 8, 12],
        "used_looks": 4,
        "settled": 1,
        "open": 1,
    }


def test_metrics_that_can_be_decided_at_other_looks_are_named(run: Any, tmp_path: Path) -> None:
    """Few cells of instructions take fewer blocks than many of throughput."""
    run.header["matrix"]["workloads"].append(
        {
            "name": "null_blk-read",
            "rw": "read",
            "bs": 4096,
            "iodepth": 1,
            "numjobs": 1,
            "verify": "",
            "kind": "ordinary",
            "providers": ["count"],
            "device": "null_blk",
            "ios": 10,
            "variants": ["stock", "page"],
        }
    )
    run.header["plan"] += [
        {
            "boot": f"b0-{variant}-count",
            "index": 99,
            "block": 0,
            "variant": variant,
            "provider": "count",
            "kind": "count",
            "aa": False,
        }
        for variant in ("stock", "page")
    ]
    run.header["stopping"] = (
        plan_looks(3, 12, 600.0)
        .shared({"throughput": 48, "instructions": 1, "virtual": 1})
        .as_json()
    )
    (note,) = stopping_notes.notes(Journal.create(tmp_path / "journal.jsonl", run.header))
    assert (
        "better or worse can be found in wall-clock throughput after 12 blocks with a p of at "
        "most 5 % after Holm, in instructions per I/O from 8 blocks on with a p of at most "
        "2.5 % after Holm, since with fewer no p is that small"
    ) in note


def test_a_settled_verdict_stays_whatever_comes_later(run: Any, tmp_path: Path) -> None:
    drive(run, tmp_path)
    made = build.build(tmp_path / "journal.jsonl")
    assert verdicts(made)["bar"][:2] == ("equivalent", 1)
    assert len(made["compares"][0]["cells"][0]["pairs"]) == 3
    assert verdicts(made)["cmb"][:2] == ("inconclusive", 4)
    assert len(made["compares"][1]["cells"][0]["pairs"]) == 12
    assert build.build(tmp_path / "journal.jsonl") == made


def test_intervals_are_as_wide_as_so_many_looks_need(run: Any, tmp_path: Path) -> None:
    drive(run, tmp_path)
    cell = build.build(tmp_path / "journal.jsonl")["compares"][0]["cells"][0]
    assert cell["interval"]["confidence"] == pytest.approx(1 - ALPHA / 4)


def test_a_boot_that_is_lost_before_a_look_and_run_again_after_it_does_not_change_it(
    run: Any, tmp_path: Path
) -> None:
    made_of = run.boot("b1-page-bar") | {}
    run.header["plan"] = run.header["plan"]
    run.lose("b1-page-bar")
    run.result("b4-page-cmb")["metrics"]["bytes_per_s"] = 1e8
    journal = drive(run, tmp_path)
    before = build.build(tmp_path / "journal.jsonl")
    journal.append(
        made_of | {"workloads": run.boot("b0-page-bar")["workloads"], "status": "ok", "lost": None}
    )
    after = build.build(tmp_path / "journal.jsonl")
    looked = [look.record["verdicts"] for look in journal.looks]
    assert looked[0]["bar/randread-4k-qd1/throughput"] == "inconclusive"  # two pairs
    assert verdicts(before) == verdicts(after)
    assert after["ok"], after["problems"]


def test_when_all_is_settled_nothing_more_is_run(run: Any, tmp_path: Path) -> None:
    for block in range(12):
        run.result(f"b{block}-page-cmb")["metrics"]["bytes_per_s"] = 1e8
    journal = drive(run, tmp_path)
    assert len(journal.boots) == 9 and len(journal.looks) == 1
    made = build.build(tmp_path / "journal.jsonl")
    assert made["ok"] and made["stopping"]["used_looks"] == 1 and made["stopping"]["open"] == 0


def test_a_journal_whose_verdict_is_not_that_of_its_boots_is_a_problem(
    run: Any, tmp_path: Path
) -> None:
    path = drive(run, tmp_path).path
    path.write_text(path.read_text().replace('"equivalent"', '"better"'))
    made = build.build(path)
    assert "look 1 called it better, its boots make it equivalent" in made["problems"][0]


def test_a_spent_budget_ends_the_run_and_a_resumed_one_stays_ended(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    budget = Budget(600, 0)
    clock[0] += 545
    journal = drive(run, tmp_path, budget)
    assert journal.boots == []
    assert journal.skipped["b0-page-host"].startswith(
        "the budget of 10 min is used up: 9 min 5 s spent, block 0 would take about 1 min"
    )
    assert drive(run, tmp_path, budget).boots == []


def test_a_clock_that_jumps_changes_neither_budget_nor_verdict(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, jumping = tmp_path / "a", tmp_path / "b"
    straight.mkdir()
    jumping.mkdir()
    drive(run, straight)
    for number, boot in enumerate(run.boots):
        boot["started"] = f"{2031 - number}-01-01T00:00:00+00:00"
    monkeypatch.setattr(time, "time", lambda: -1e9)
    journal = drive(run, jumping)
    assert journal.spent_s == pytest.approx(20.5 * len(journal.boots))
    even, odd = (build.build(one / "journal.jsonl") for one in (straight, jumping))
    assert verdicts(even) == verdicts(odd)
    assert not any("clock" in note for note in even["notes"])
    assert f"the clock was set back between {journal.boots[0]['boot']} (2031-01-01" in "".join(
        odd["notes"]
    )


def test_time_spent_before_an_interruption_counts(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    run.boots = run.boots[:4]
    budget = Budget(100, drive(run, tmp_path).spent_s)
    assert budget.spent_s() == 82 and budget.holds(18) and not budget.holds(19)


def test_time_that_two_boots_shared_counts_once(run: Any, tmp_path: Path) -> None:
    run.boots = run.boots[:4]
    run.boots[2]["took_s"] = 20.5
    run.boots[3]["took_s"] = 0.5
    journal = drive(run, tmp_path)
    assert journal.spent_s == 62
    assert build.build(journal.path)["totals"]["duration_s"] == 62


def test_a_boot_that_began_before_the_one_that_ended_first_is_no_jump_of_the_clock(
    run: Any, tmp_path: Path
) -> None:
    run.boots = run.boots[:2]
    for boot, started, duration_s in zip(run.boots, ("12:00:05", "12:00:00"), (20.5, 25.0)):
        boot.update(started=f"2026-11-23T{started}+00:00", duration_s=duration_s)
    assert not any("clock" in note for note in build.build(drive(run, tmp_path).path)["notes"])


def test_the_second_boot_of_an_aa_cell_is_run_beside_its_first_only(
    synthetic: Any, tmp_path: Path
) -> None:
    run = synthetic({"page/host": 1e8, "page/bar": 1e8}, blocks=6, noise=0.0001, twice=True)
    run.header["stopping"] = (
        plan_looks(3, 6, 600.0).shared({"throughput": 1, "aa-throughput": 1}).as_json()
    )
    run.header["matrix"]["blocks"] = 3
    for block in range(6):  # A/A stays open, the comparison does not
        rate = 1e8 * (1.5 if block % 2 else 0.6)
        run.result(f"b{block}-page-bar-aa")["metrics"]["bytes_per_s"] = rate
    journal = drive(run, tmp_path)
    assert {boot["block"] for boot in journal.boots} == {0, 1, 2}


def test_the_second_boot_goes_on_while_its_first_does(synthetic: Any, tmp_path: Path) -> None:
    run = synthetic({"page/host": 1e8, "page/bar": 1e8}, blocks=6, noise=0.3, twice=True)
    run.header["stopping"] = (
        plan_looks(3, 6, 600.0).shared({"throughput": 1, "aa-throughput": 1}).as_json()
    )
    run.header["matrix"]["blocks"] = 3
    assert len(drive(run, tmp_path).boots) == 24


def test_what_the_budget_left_out_is_no_gap(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.create(tmp_path / "journal.jsonl", run.header)
    for boot in run.boots[:12]:
        journal.append(boot)
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    stopping.end_by_budget(journal, 4, Budget(600, 590), 60)
    made = build.build(journal.path)
    assert made["ok"], made["problems"]
    assert [cell["missing"] for one in made["compares"] for cell in one["cells"]] == [[], []]
    assert made["totals"]["boots"]["skipped"] == 24


@pytest.mark.parametrize(
    ("first", "most", "looks"),
    [(3, 12, (3, 5, 8, 12)), (10, 20, (10, 15, 20)), (4, 4, (4,)), (1, 4, (1, 2, 3, 4))],
)
def test_looks_grow_by_half(first: int, most: int, looks: tuple[int, ...]) -> None:
    planned = plan_looks(first, most, 60.0)
    assert planned.blocks == looks
    assert planned.alpha * len(looks) == pytest.approx(ALPHA)
    assert plan_looks(first, most, None).blocks == (first,)


@pytest.mark.parametrize(
    ("first", "most", "cells", "deciding"),
    [
        (3, 16, 48, (12, 16)),
        (3, 16, 1, (8, 12, 16)),
        (3, 16, 200, (16,)),
        (3, 16, 5000, (16,)),
        (14, 24, 98, (14, 21, 24)),
        (8, 8, 48, (8,)),
    ],
)
def test_only_looks_with_blocks_enough_share_the_error_rate_of_better_and_worse(
    first: int, most: int, cells: int, deciding: tuple[int, ...]
) -> None:
    looks = plan_looks(first, most, 60.0).shared({"throughput": cells})
    assert looks.deciding("throughput") == deciding
    shares = [looks.share("throughput", number) for number in range(1, len(looks.blocks) + 1)]
    assert sum(shares) == pytest.approx(ALPHA)
    for blocks, share in zip(looks.blocks[:-1], shares):
        assert not share or blocks >= fewest_pairs(cells, share)
    one_more = ALPHA / (len(deciding) + 1)  # a look earlier could call nothing
    assert all(
        blocks < fewest_pairs(cells, one_more) for blocks in looks.blocks if blocks < deciding[0]
    )


def test_a_journal_from_before_keeps_the_looks_that_it_was_planned_with(run: Any) -> None:
    def shares(*families: str) -> list[list[float]]:
        looks = looks_of(run.header)
        return [[looks.share(family, number) for number in (1, 2, 3, 4)] for family in families]

    run.header["stopping"]["shares"] = {"cells": [0, 0, 0, 0.05], "aa": [0, 0, 0.02, 0.03]}
    assert shares("throughput", "instructions", "aa-throughput") == [
        [0, 0, 0, 0.05],
        [0, 0, 0, 0.05],
        [0, 0, 0.02, 0.03],
    ]
    del run.header["stopping"]["shares"]
    assert shares("throughput") == [[ALPHA / 4] * 4]
    assert looks_of({"matrix": {"blocks": 7}}).blocks == (7,)  # type: ignore[typeddict-item]


def test_a_run_says_before_it_begins_when_it_can_decide() -> None:
    for first, most, budget, cells, said in (
        (
            3,
            16,
            None,
            48,
            "3 blocks cannot call any of 48 cells of wall-clock throughput "
            "better or worse, which takes 11: what it can show is that cells are equivalent; with "
            "a BUDGET it goes on to 16",
        ),
        (
            3,
            16,
            60.0,
            48,
            "the first of 48 cells of wall-clock throughput can be called better "
            "or worse after 12 blocks, with a p of at most 2.5 % after Holm; equivalent at any "
            "look",
        ),
        (
            3,
            8,
            60.0,
            48,
            "8 blocks cannot call any of 48 cells of wall-clock throughput better "
            "or worse, which takes 11: what it can show is that cells are equivalent",
        ),
        (
            1,
            4,
            None,
            4,
            "1 block cannot call any of 4 cells of wall-clock throughput better "
            "or worse, which takes 8",
        ),
        (
            14,
            24,
            None,
            98,
            "14 blocks can call any of 98 cells of wall-clock throughput better "
            "or worse, which takes 12",
        ),
        (3, 16, None, 0, ""),
    ):
        looks = plan_looks(first, most, budget).shared({"throughput": cells, "virtual": 200})
        planned = [(looks.blocks[-1], most)] * cells
        assert first_decision(looks, "throughput", planned) == said


def test_the_plan_of_a_run_counts_its_cells_by_metric_before_any_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("p2pbench.measure.run.RESULTS", tmp_path)
    for name, cells, twice in (
        ("quick", (10, 13, 2, 34), (10, 13, 0, 22)),
        ("full", (80, 65, 24, 120), (80, 65, 4, 100)),
    ):
        made = Run.new(find_matrix(name), 1, 1200.0)
        assert made.cells() == dict(zip(FAMILIES, cells)) | {
            f"aa-{family}": number for family, number in zip(FAMILIES, twice)
        }
        assert made.looks.blocks[-1] == 1 + max(boot.block for boot in made.plan)


@pytest.fixture
def wide(synthetic: Any) -> Any:
    """48 cells that swing by 2 %, planned like `quick`; of one the candidate is half as fast."""
    names = tuple(f"randread-{bs}k-qd1" for bs in range(1, 49))
    made = synthetic(SPEED | {"page/bar": 1e8}, blocks=16, noise=0.02, workloads=names)
    made.header["matrix"]["blocks"] = 3
    made.header["matrix"]["compare"] = [
        {
            "name": "bar",
            "title": "bar",
            "baseline": {"variant": "page", "provider": "host"},
            "candidate": {"variant": "page", "provider": "bar"},
        }
    ]
    for block in range(16):
        made.result(f"b{block}-page-bar", "randread-1k-qd1")["metrics"]["bytes_per_s"] *= 0.5
    return made


def test_a_loss_of_a_half_in_one_of_48_cells_is_worse_after_12_blocks(
    wide: Any, tmp_path: Path
) -> None:
    wide.header["stopping"] = (
        plan_looks(3, 16, 600.0).shared({"throughput": 48, "aa-throughput": 0}).as_json()
    )
    journal = drive(wide, tmp_path)
    name = "bar/randread-1k-qd1/throughput"
    found = [(look.record["blocks"], look.record["verdicts"][name]) for look in journal.looks]
    assert found == [(3, "inconclusive"), (5, "inconclusive"), (8, "inconclusive"), (12, "worse")]
    cells = {cell["workload"]: cell for cell in build.build(journal.path)["compares"][0]["cells"]}
    assert cells["randread-1k-qd1"]["look"] == 4
    assert {cell["verdict"] for cell in cells.values()} <= {"worse", "equivalent", "inconclusive"}
    assert sum(cell["verdict"] == "worse" for cell in cells.values()) == 1


def test_a_budget_has_a_unit() -> None:
    assert [parse_budget(text) for text in ("90s", "20m", "1.5h")] == [90, 1200, 5400]
    for wrong in ("20", "m", "0m", "20 m", "-1m", "20min"):
        with pytest.raises(BenchError, match="a time with a unit is allowed, such as 90s"):
            parse_budget(wrong)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (3570, "59 min 30 s"),
        (3599.6, "1 h"),
        (7200, "2 h"),
        (108027, "30 h"),
        (108040, "30 h 1 min"),
    ],
)
def test_a_time_is_said_in_hours_from_an_hour_on(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_two_journals_of_different_seeds_in_one_file_are_refused(run: Any, tmp_path: Path) -> None:
    path = drive(run, tmp_path).path
    lines = path.read_text().splitlines()
    other = json.loads(lines[0]) | {"seed": 99}
    path.write_text("\n".join([*lines, json.dumps(other), *lines[1:]]) + "\n")
    with pytest.raises(
        JournalError,
        match=f"journal.jsonl:{len(lines) + 1}: a second header, of "
        "run .* with seed 99: these are two journals",
    ):
        Journal.open(path)


def test_a_boot_of_another_seeds_order_is_refused(run: Any, tmp_path: Path) -> None:
    path = drive(run, tmp_path).path
    lines = path.read_text().splitlines()
    lines[3] = json.dumps(json.loads(lines[3]) | {"index": 0})
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(
        JournalError,
        match="journal.jsonl:4: .* says index 0, the plan says 2: it "
        "is of another run, not of this one with seed 1",
    ):
        Journal.open(path)


@pytest.mark.parametrize("keep", [20, -3])
def test_a_look_that_was_cut_is_taken_again(run: Any, tmp_path: Path, keep: int) -> None:
    path = drive(run, tmp_path).path
    lines = path.read_text().splitlines(keepends=True)
    whole = build.build(path)
    (number, *_) = (i for i, line in enumerate(lines) if '"type":"look"' in line)
    path.write_text("".join(lines[:number]) + lines[number][:keep])
    assert "cut" in Journal.open(path).notes[0]
    drive(run, tmp_path)
    assert verdicts(build.build(path)) == verdicts(whole)

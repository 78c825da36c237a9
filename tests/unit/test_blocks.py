# SPDX-License-Identifier: GPL-2.0
"""Cells that are in fewer blocks than others: what a run says of them before and after it."""

from pathlib import Path
from typing import Any

import samples
from p2pbench.analysis.schedule import plan_looks
from p2pbench.measure.run import Run
from p2pbench.plan.matrix_file import find_matrix
from p2pbench.records.metrics import THROUGHPUT, VIRTUAL
from p2pbench.report import summary
from p2pbench.report.stopping_notes import first_decision


def test_cells_of_fewer_blocks_are_spoken_of_by_themselves() -> None:
    many, few = [(12, 16)] * 12, [(3, 3)] * 36
    looks = plan_looks(12, 16, None).shared({THROUGHPUT: 48})
    assert first_decision(looks, THROUGHPUT, many + few) == (
        "12 blocks can call any of 12 cells of wall-clock throughput better or worse, which takes "
        "11; 3 blocks cannot call any of 36 cells of wall-clock throughput better or worse, which "
        "takes 11: what it can show is that cells are equivalent"
    )
    looks = plan_looks(12, 16, 60.0).shared({THROUGHPUT: 48})
    assert first_decision(looks, THROUGHPUT, [(16, 16)] * 12 + few).startswith(
        "the first of 12 cells of wall-clock throughput can be called better or worse after 12 "
        "blocks, with a p of at most 2.5 % after Holm; equivalent at any look; 3 blocks cannot "
        "call any of 36 "
    )


def test_a_budget_is_named_where_it_adds_blocks_enough() -> None:
    looks = plan_looks(3, 16, None).shared({THROUGHPUT: 48})
    said = first_decision(looks, THROUGHPUT, [(3, 16)] * 24 + [(3, 3)] * 24)
    assert said.count("with a BUDGET it goes on to 16") == 1
    assert first_decision(looks, THROUGHPUT, []) == ""


def test_the_plan_of_a_run_knows_in_how_many_blocks_each_cell_is(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(find_matrix("quick").read_text().replace("\nblocks = 3", "\nblocks = 2", 1))
    run = Run.new(path, 1)
    timed, counted = (run.blocks_of_cells(family) for family in (THROUGHPUT, VIRTUAL))
    # A comparison has the blocks of its shorter side, and a count those that it is given.
    assert set(timed) == {(2, 2)} and set(counted) == {(10, 16), (3, 3)}
    assert len(timed) == run.cells()[THROUGHPUT]
    run.select([boot for boot in run.plan if boot.block == 0])
    assert set(run.blocks_of_cells(THROUGHPUT)) == {(1, 2)}
    assert set(run.blocks_of_cells(VIRTUAL)) == {(1, 16), (1, 3)}


def test_open_cells_of_fewer_blocks_than_the_others_are_spoken_of() -> None:
    report: dict[str, Any] = samples.whole(samples.quick())
    report["compares"] = [
        one for one in report["compares"] if one["cells"][0]["metric"] == THROUGHPUT
    ]
    cells = [
        cell
        for compare in report["compares"]
        for cell in compare["cells"]
        if cell["metric"] == THROUGHPUT
    ]
    for cell in cells:
        cell["verdict"] = "inconclusive"
    for cell in cells[2:]:
        cell["pairs"] = cell["pairs"] * 4
    few = "3 blocks cannot call any of {} of wall-clock throughput (12 can) better or worse"
    assert few.format("2 cells") in summary.sentences(report)[-1]
    cells[0]["verdict"] = "equivalent"  # at an early look, and it stays so
    assert few.format("1 cell") in summary.sentences(report)[-1]

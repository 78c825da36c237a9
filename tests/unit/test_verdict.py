# SPDX-License-Identifier: GPL-2.0
"""The verdict: five plain sentences at most, and doubt comes first."""

from typing import Any

import pytest

import samples
from p2pbench.report import summary, wording


@pytest.fixture
def whole() -> dict[str, Any]:
    """A report with every section."""
    return samples.whole(samples.quick())


def test_every_subject_has_one_sentence(whole: dict[str, Any]) -> None:
    throughput, memory, work, ordinary, trust = summary.sentences(whole)
    assert throughput.startswith(
        "In virtual time, pageless costs throughput through peer "
        "memory in 1 of 2 cases: against page, 1 worse (worst: bar randwrite 128k qd1 -0.66 % "
        "[-0.69, -0.63]), 1 equivalent within 0.5 %; latency (p50, p99): equivalent within 2 % in "
        "all 4 cases. By the clock on the wall, no difference shown in 10 cases (median interval"
    )
    assert work == (
        "Work per P2P I/O: pageless executes 0.55 to 5.5 % fewer path instructions "
        "than page (2 paths)."
    )
    assert ordinary.startswith(
        "Work per ordinary I/O, 8 paths against stock: page: median 0.04 % "
        "more, the worst path +0.25 % (null_blk randread 512 "
        "none); "
    )
    assert "1/550 of the memory and 1/4,100 of the time" in memory
    assert "0 fallbacks" in trust
    assert "A/A: pageless nowhere better or worse than itself (8 cells: 8 inconclusive)" in trust
    assert trust.endswith("8 inconclusive).")
    # Where virtual time has no answer, it matters that the wall's clock can have none.
    trust = summary.sentences(in_virtual_time(whole, "inconclusive"))[-1]
    assert trust.endswith(
        "8 inconclusive). 3 blocks cannot call any of 26 cells of wall-clock throughput (12 can) "
        "better or worse. 3 blocks cannot raise an A/A alarm in any of 8 cells of wall-clock "
        "throughput (10 can)."
    )


def in_virtual_time(report: dict[str, Any], *verdicts: str, device: str = "bar") -> dict[str, Any]:
    """The report with one cell of throughput in virtual time for each verdict, and no latency."""
    compare, cell = samples.timed()[0], samples.timed()[0]["cells"][0]
    cells = [cell | {"verdict": one, "device": device} for one in verdicts]
    for one in cells:
        if one["verdict"] == "inconclusive":
            one["interval"] = one["interval"] | {"low": 0.99, "high": 1.01}
    return report | {"compares": [compare | {"cells": cells}, *samples.quick()["compares"]]}


@pytest.mark.parametrize(
    "verdicts, said",
    [
        (
            ("equivalent",) * 3,
            "pageless costs no throughput through peer memory: against page, "
            "equivalent within 0.5 % in all 3 cases. ",
        ),
        (
            ("better", "equivalent"),
            "pageless costs no throughput through peer memory: against page, "
            "of 2 cases 1 better (best: bar randread 4k qd1 -0.11 % [-0.14, "
            "-0.08]), 1 equivalent within 0.5 %. ",
        ),
        (
            ("worse", "better", "equivalent", "equivalent"),
            "pageless costs throughput through peer memory in 1 of 4 cases: against page, 1 worse "
            "(worst",
        ),
        (
            ("worse", "worse"),
            "pageless costs throughput through peer memory in 2 of 2 cases: against "
            "page, worse in all 2 cases (worst: ",
        ),
        (
            ("equivalent", "inconclusive"),
            "it is open whether pageless costs throughput through peer "
            "memory: against page, of 2 cases 1 equivalent within 0.5 %, "
            "1 inconclusive. ",
        ),
        (
            ("invalid", "equivalent"),
            "it is open whether pageless costs throughput through peer "
            "memory: against page, of 2 cases 1 invalid, 1 equivalent ",
        ),
    ],
)
def test_the_first_words_say_whether_peer_memory_costs_throughput(
    whole: dict[str, Any], verdicts: tuple[str, ...], said: str
) -> None:
    first, *_ = summary.sentences(in_virtual_time(whole, *verdicts))
    assert first.startswith(f"In virtual time, {said}")


def test_a_cell_that_is_open_between_no_change_and_a_gain_costs_nothing(
    whole: dict[str, Any]
) -> None:
    report = in_virtual_time(whole, "equivalent", "inconclusive")
    cell = report["compares"][0]["cells"][1]
    for low, said in ((0.9949, "it is open whether pageless costs"), (0.9951, "pageless costs no")):
        cell["interval"] = cell["interval"] | {"low": low, "high": 1.006}
        assert summary.sentences(report)[0].startswith(f"In virtual time, {said}")


def test_where_virtual_time_decides_the_wall_is_not_said_to_be_open_everywhere(
    whole: dict[str, Any]
) -> None:
    first, *_ = summary.sentences(in_virtual_time(whole, "equivalent"))
    assert "inconclusive" not in first
    assert (
        "By the clock on the wall, no difference shown in 10 cases (median interval ±39 %, "
        "margin ±2 %); of 16 other cases"
    ) in first
    for verdicts in ((), ("inconclusive",)):
        first, *_ = summary.sentences(in_virtual_time(whole, *verdicts))
        assert "no difference shown; inconclusive in all 10 cases (median interval ±39 %" in first


def test_without_virtual_time_the_wall_answers_and_the_reason_is_said(
    whole: dict[str, Any]
) -> None:
    report = whole | {"compares": samples.quick()["compares"]}
    report["virtual"] |= {"absent": "QEMU 5.2 does not take -icount.", "cells": []}
    first, *_ = summary.sentences(report)
    assert first.startswith("Throughput, pageless against page through peer memory: no difference ")
    assert first.endswith(
        ". Throughput in virtual time was not measured: QEMU 5.2 does not take -icount."
    )


def test_host_memory_and_each_candidate_have_words_of_their_own(whole: dict[str, Any]) -> None:
    report = in_virtual_time(whole, "equivalent")
    host = in_virtual_time(whole, "equivalent", "equivalent", device="host")["compares"][0]
    other = {"candidate": {"variant": "planted", "provider": "count"}}
    report["compares"] += [host, report["compares"][0] | other]
    first, *_ = summary.sentences(report)
    assert (
        "against page, equivalent within 0.5 % in the only case; host memory: equivalent "
        "within 0.5 % in all 2 cases. In virtual time, planted costs "
        "no throughput through peer memory: against page, equivalent within "
    ) in first
    first, *_ = summary.sentences(in_virtual_time(whole, "worse", "equivalent", device="host"))
    assert "pageless costs throughput through host memory in 1 of 2 cases: against page" in first


def test_counts_are_told_with_their_verdicts(whole: dict[str, Any]) -> None:
    cell = whole["compares"][0]["cells"][0]
    counted = [
        cell | {"workload": one["workload"], "metric": "instructions", "verdict": verdict}
        for one, verdict in zip(whole["instructions"]["cells"], ("better", "equivalent"))
    ]
    whole["compares"] = [whole["compares"][0] | {"cells": counted}]
    assert "(2 paths: 1 better, 1 equivalent)" in summary.sentences(whole)[1]


def test_ratios_are_those_that_have_the_verdicts(whole: dict[str, Any]) -> None:
    """Of pairs, not of medians; what is invalid has none."""
    cell = whole["compares"][0]["cells"][0]
    ratios = (0.85, 0.75), (0.85, None)
    for found, said in zip(ratios, ("15 to 25 % fewer", "15 % fewer")):
        counted = [
            cell | {"workload": one["workload"], "metric": "instructions", "ratio": ratio}
            for one, ratio in zip(whole["instructions"]["cells"], found)
        ]
        made = whole | {"compares": [whole["compares"][0] | {"cells": counted}]}
        assert f"pageless executes {said} path instructions than page" in summary.sentences(made)[1]


@pytest.mark.parametrize(
    "factors, said",
    [
        (
            (1, 1, 1.0004),
            "no change in the median, the worst path +0.04 % (null_blk randread 32k none",
        ),
        ((0.9, 0.998, 0.9995), "median 0.20 % fewer, every path fewer, the least by 0.05 %."),
        ((0.9, 1, 1), "no change in the median, no path more"),
        ((0.9, 1.02, 1.03), "median 2.0 % more, the worst path +3.0 % (null_blk"),
    ],
)
def test_what_others_pay_is_said_in_plain_words(
    whole: dict[str, Any], factors: tuple[float, ...], said: str
) -> None:
    cells = [one for one in whole["instructions"]["cells"] if one["kind"] == "ordinary"]
    cells = [cells[0], cells[2], cells[4]]
    for cell, factor in zip(cells, factors):
        for figures in cell["variants"].values():
            figures["per_io"] = 1000.0
        cell["variants"]["pageless"]["per_io"] *= factor
    whole["instructions"]["cells"] = cells
    ordinary = next(one for one in summary.sentences(whole) if one.startswith("Work per ordinary"))
    assert f"; pageless: {said}" in ordinary


def test_a_loss_is_no_missing_difference(whole: dict[str, Any]) -> None:
    whole["compares"][0]["cells"][0]["verdict"] = "worse"
    assert "no difference shown" not in summary.sentences(whole)[0]


def test_with_blocks_enough_it_says_which_loss_would_rather_be_missed(
    whole: dict[str, Any]
) -> None:
    """More than the margin and the interval: p must be small enough for Holm, too."""
    for compare in whole["compares"]:
        for cell in compare["cells"]:
            cell["pairs"] = cell["pairs"] * 4
    said = summary.sentences(whole)[0]
    assert "(median interval ±39 %, margin ±2 %: a loss under 41 % would rather be" in said


def test_blocks_that_suffice_are_not_spoken_of(whole: dict[str, Any]) -> None:
    for compare in whole["compares"] + whole["aa"]["compares"]:
        for cell in compare["cells"]:
            cell["pairs"] = cell["pairs"] * 4
    assert "cannot" not in summary.sentences(whole)[-1]


def test_metrics_that_have_too_few_blocks_stand_in_one_sentence(whole: dict[str, Any]) -> None:
    for compare in samples.timed():
        for cell in compare["cells"]:
            cell["pairs"] = cell["pairs"][:4]
        whole["compares"].insert(0, compare)
    said = summary.sentences(whole | {"compares": whole["compares"][:2]})[-1]
    assert said.endswith(
        "4 blocks cannot call any of 2 cells of throughput in virtual time (8 "
        "can) or 4 cells of latency in virtual time (9 can) better or worse."
    )


def test_cells_without_a_pair_are_named_and_not_counted(whole: dict[str, Any]) -> None:
    whole["compares"] = samples.quick()["compares"]
    for compare in [whole["compares"][0], *whole["aa"]["compares"]]:
        without = compare["cells"][0] | {"pairs": [], "missing": []}
        compare["cells"] = compare["cells"] + [without] * 16
    trust = summary.sentences(whole)[-1]
    rest = "16 cells of throughput have no pair"
    cells = sum(bool(cell["pairs"]) for one in whole["compares"] for cell in one["cells"])
    assert (
        f"A/A: pageless nowhere better or worse than itself (8 cells: 8 inconclusive; {rest})"
    ) in trust
    assert f"3 blocks cannot call any of {cells} cells of wall-clock throughput (12 can; " in trust
    assert (
        "3 blocks cannot raise an A/A alarm in any of 8 cells of wall-clock throughput (10 "
        f"can; {rest})"
    ) in trust


def test_a_check_without_any_pair_is_no_check(whole: dict[str, Any]) -> None:
    for cell in whole["aa"]["compares"][0]["cells"]:
        cell["pairs"] = []
    assert "No A/A check in this run: 8 cells of throughput have no pair" in (
        summary.sentences(whole)[-1]
    )


def test_what_was_not_measured_is_not_spoken_of(whole: dict[str, Any]) -> None:
    whole |= {"instructions": None, "memory": None, "aa": None}
    said = summary.sentences(whole)
    assert len(said) == 2
    assert "No A/A check in this run" in said[1]


def test_an_alarm_of_the_check_against_itself_comes_first(whole: dict[str, Any]) -> None:
    whole["aa"] = samples.aa(whole["compares"][0], alarms=1)
    first, *rest = summary.sentences(whole)
    assert first.startswith("A/A ALARM in 1 of 8 cells: a kernel differs from itself")
    assert summary.is_alarming(first) and not any(map(summary.is_alarming, rest))


def test_a_run_that_is_not_whole_says_so_first(whole: dict[str, Any]) -> None:
    whole["problems"] = ["1 boot of the plan not run: b0"]
    assert summary.sentences(whole)[0].startswith("NOT WHOLE: 1 problem (listed below). ")


def test_an_instrument_that_failed_is_told_with_the_reason(whole: dict[str, Any]) -> None:
    whole["instructions"] |= {"absent": "QEMU 5.2 loads no plugins", "cells": []}
    assert summary.sentences(whole)[2] == (
        "Instructions per I/O were not counted: QEMU 5.2 loads no plugins."
    )


def test_fewer_instructions_are_better_and_the_worst_is_the_most(whole: dict[str, Any]) -> None:
    """The extreme of a headline follows the direction of its metric."""
    cells = [
        {
            "verdict": "worse",
            "metric": metric,
            "workload": f"{metric}-{ratio}",
            "ratio": ratio,
            "interval": {"low": ratio, "high": ratio},
            "missing": [],
        }
        for metric in ("instructions", "throughput")
        for ratio in (1.02, 1.05)
    ]
    from p2pbench.report.wording import headline

    assert "worst: instructions 1.05 +5.0 %" in headline({"cells": cells[:2]})
    assert "worst: throughput 1.02 +2.0 %" in headline({"cells": cells[2:]})


def test_memory_that_cannot_be_seen_is_no_division_by_zero(whole: dict[str, Any]) -> None:
    for point in whole["memory"]["points"]:
        if point["variant"] == "pageless":
            point["overhead_bytes"] = {"median": 0, "min": -4096, "max": 4096}
    assert "pageless 0 B and 2.72 ms" in summary.sentences(whole)[1]
    assert "too little to be seen of the memory" in summary.sentences(whole)[1]


@pytest.mark.parametrize(
    "value, said",
    [(162.3, "160"), (24276.3, "24,000"), (7.84, "7.8"), (0.123, "0.12"), (38.6, "39"), (0.0, "0")],
)
def test_two_digits_are_never_an_exponent(value: float, said: str) -> None:
    assert wording.two(value) == said


@pytest.mark.parametrize(
    "workload, said",
    [
        ("count-bar-randread-4k-qd1-mq-deadline", "bar randread 4k qd1 mq-deadline"),
        ("null_blk-read-4k-merge-none", "null_blk read 4k merge none"),
    ],
)
def test_a_workload_is_called_by_its_parts_and_a_scheduler_by_its_name(
    workload: str, said: str
) -> None:
    assert wording.label(workload) == said

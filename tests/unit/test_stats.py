# SPDX-License-Identifier: GPL-2.0
"""Verdicts follow from the pairs of boots and from their evidence, and from nothing else."""

import math
import random
from typing import Any

import numpy as np
import pytest
import scipy.stats

from p2pbench.analysis.estimate import Interval, blocks_needed, bootstrap, interval_of, verdict_of
from p2pbench.analysis.verdicts import Comparison, compare_all

SEED = (1, 2)


def compared(run: Any) -> Comparison:
    """The only comparison of a synthetic run."""
    (comparison,) = compare_all(run.header, run.boots)
    return comparison


def pair_of(run: Any, block: int, ratio: float) -> None:
    """Give the two boots of a block exactly this ratio."""
    base = run.result(f"b{block}-page-host")["metrics"]["bytes_per_s"]
    run.result(f"b{block}-page-bar")["metrics"]["bytes_per_s"] = base * ratio


def test_a_planted_loss_of_10_percent_is_worse(synthetic: Any) -> None:
    result = compared(synthetic({"page/host": 1e8, "page/bar": 0.9e8}, noise=0.01))
    assert result.verdict == "worse"
    assert result.ratio == pytest.approx(0.9, rel=0.01)


def test_three_blocks_are_too_few_to_call_a_loss_of_10_percent_worse(synthetic: Any) -> None:
    speed = {"page/host": 1e8, "page/bar": 0.9e8}
    result = compared(synthetic(speed, blocks=3, noise=0.002))
    assert result.interval and result.interval.high < math.log(0.98)
    assert (result.p, result.verdict) == (0.25, "inconclusive")
    assert result.blocks_needed == 6  # the first with a p of 2 in 64


def test_a_planted_gain_of_10_percent_is_better(synthetic: Any) -> None:
    speed = {"page/host": 1e8, "page/bar": 1.1e8}
    assert compared(synthetic(speed, noise=0.01)).verdict == "better"


def test_the_same_speed_with_little_noise_is_equivalent(synthetic: Any) -> None:
    assert compared(synthetic({"page/host": 1e8, "page/bar": 1e8})).verdict == "equivalent"


def test_the_same_speed_with_much_noise_is_inconclusive_and_says_how_many_blocks(
    synthetic: Any,
) -> None:
    result = compared(synthetic({"page/host": 1e8, "page/bar": 1e8}, noise=0.1))
    assert result.verdict == "inconclusive"
    assert result.blocks_needed and result.blocks_needed > 8


def test_a_cell_against_itself_with_equal_data_raises_no_alarm(synthetic: Any) -> None:
    result = compared(synthetic({"page/bar": 1e8}, noise=0, twice=True))
    assert [pair.baseline.boot["boot"] for pair in result.pairs][:1] == ["b0-page-bar"]
    assert [pair.candidate.boot["boot"] for pair in result.pairs][:1] == ["b0-page-bar-aa"]
    assert (result.verdict, result.ratio) == ("equivalent", 1)


def test_the_ratio_is_the_median_of_the_pairs(synthetic: Any) -> None:
    run = synthetic({"page/host": 1e8, "page/bar": 1e8}, blocks=3)
    for block, ratio in enumerate((0.5, 0.98, 1.01)):
        pair_of(run, block, ratio)
    assert compared(run).ratio == pytest.approx(0.98)


def test_pairs_are_formed_inside_a_block(synthetic: Any) -> None:
    run = synthetic({"page/host": 1e8, "page/bar": 1e8}, blocks=8)
    for block in range(8):  # blocks differ widely, the two boots of each do not
        run.result(f"b{block}-page-host")["metrics"]["bytes_per_s"] = 1e8 * 2**block
        pair_of(run, block, 0.9)
    run.boots.reverse()
    result = compared(run)
    assert [pair.block for pair in result.pairs] == list(range(8))
    assert result.verdict == "worse" and result.ratio == pytest.approx(0.9)


def test_the_interval_is_scipys_bca_interval_of_the_median() -> None:
    values = [0.01, 0.04, -0.02, 0.03, 0.005, 0.022, 0.017]
    interval = interval_of(values, SEED)
    assert interval and interval.method == "BCa" and not interval.note
    assert min(values) <= interval.low < 0.017 < interval.high <= max(values)
    assert interval == interval_of(values, SEED)


@pytest.mark.parametrize("pairs", [8, 9, 300])
def test_the_interval_is_that_of_numpys_median_to_the_bit(pairs: int) -> None:
    """It is found by ranks, which is quicker: with ties as well."""
    draw = random.Random(pairs)
    values = [round(draw.gauss(0, 0.1), 2) for _ in range(pairs)]
    found = interval_of(values, SEED)
    assert found and found == bootstrap((np.array(values),), np.median, SEED)


def test_three_pairs_get_students_interval_since_their_range_holds_only_three_quarters() -> None:
    values = [0.01, 0.02, 0.03]
    interval = interval_of(values, SEED)
    half = scipy.stats.t.ppf(0.975, 2) * 0.01 / math.sqrt(3)
    assert interval and interval.high == pytest.approx(0.02 + half)
    assert interval.method == "BCa+t" and "too few" in interval.note


def test_degenerate_data_fall_back_to_the_percentile_interval_and_say_so() -> None:
    interval = interval_of([0.01] * 8, SEED)
    assert interval and interval.method == "percentile"
    assert interval.low == interval.high == pytest.approx(0.01)
    assert "plain percentiles" in interval.note


def test_two_pairs_give_a_ratio_but_no_interval_and_no_verdict(synthetic: Any) -> None:
    result = compared(synthetic({"page/host": 1e8, "page/bar": 0.5e8}, blocks=2))
    assert result.ratio == pytest.approx(0.5, rel=0.02)
    assert (result.interval, result.verdict) == (None, "inconclusive")
    assert "2 pairs: an interval needs 3" in result.notes


@pytest.mark.parametrize(
    "low, high, verdict",
    [
        (-0.01, 0.01, "equivalent"),
        (-0.01, 0.03, "inconclusive"),
        (0.005, 0.015, "equivalent"),
        (-0.09, -0.03, "worse"),
        (-0.09, -0.01, "inconclusive"),
        (0.03, 0.09, "better"),
        (-0.09, 0.09, "inconclusive"),
    ],
)
def test_the_verdict_is_where_the_interval_lies(low: float, high: float, verdict: str) -> None:
    turned = {"better": "worse", "worse": "better"}
    assert verdict_of(Interval(low, high, "BCa"), 0.02) == verdict
    assert verdict_of(Interval(-high, -low, "BCa"), 0.02) == turned.get(verdict, verdict)
    assert verdict_of(Interval(low, high, "BCa"), 0.02, less_is_better=True) == turned.get(
        verdict, verdict
    )


def test_the_blocks_that_would_decide_do_decide() -> None:
    draw = random.Random(3)
    few = [draw.gauss(0, 0.03) for _ in range(6)]
    needed = blocks_needed(few, 0.02)
    assert needed and 6 < needed < 200
    decided = 0
    for number in range(20):
        more = [draw.gauss(0, 0.03) for _ in range(3 * needed)]
        decided += verdict_of(interval_of(more, (number,)), 0.02) == "equivalent"
    assert decided >= 15


def test_one_invalid_sample_makes_the_comparison_invalid_without_a_number(synthetic: Any) -> None:
    run = synthetic({"page/host": 1e8, "page/bar": 1e8})
    run.result("b3-page-bar").update(status="invalid", reasons=["7 requests fell back"])
    result = compared(run)
    assert (result.verdict, result.ratio, result.interval) == ("invalid", None, None)
    assert result.reasons == ["b3-page-bar: 7 requests fell back"]


def test_an_ok_whose_counters_show_a_fallback_is_invalid_all_the_same(synthetic: Any) -> None:
    run = synthetic({"page/host": 1e8, "page/bar": 1e8})
    run.result("b3-page-bar")["evidence"]["p2p"]["fallbacks"] = 1
    result = compared(run)
    assert result.verdict == "invalid" and "fell back" in result.reasons[0]


def test_a_lost_boot_leaves_a_gap_with_its_reason(synthetic: Any) -> None:
    run = synthetic({"page/host": 1e8, "page/bar": 1e8})
    run.lose("b3-page-bar")
    run.boots.remove(run.boot("b5-page-host"))
    run.result("b6-page-bar").update(
        status="failed", metrics=None, error={"step": "fio", "expected": "exit 0", "got": "exit 1"}
    )
    result = compared(run)
    assert len(result.pairs) == 5
    assert [(gap.block, gap.boot, gap.reason) for gap in result.missing] == [
        (3, "b3-page-bar", "machine lost at setup"),
        (5, "b5-page-host", "not run"),
        (6, "b6-page-bar", "fio: expected exit 0, got exit 1"),
    ]


def test_cells_that_prove_data_are_not_timed(synthetic: Any) -> None:
    names = ("randread-4k-qd1", "randwrite-verify", "pattern-there")
    run = synthetic({"page/host": 1e8, "page/bar": 1e8}, workloads=names)
    assert [c.question.workload["name"] for c in compare_all(run.header, run.boots)] == [
        "randread-4k-qd1"
    ]


def test_latency_has_ratios_and_no_verdict(synthetic: Any) -> None:
    result = compared(synthetic({"page/host": 1e8, "page/bar": 0.5e8}))
    assert result.latency("lat_p50_ns") == pytest.approx(2, rel=0.02)
    assert result.latency("lat_p99_ns") == pytest.approx(2, rel=0.02)


def test_another_cell_does_not_change_an_interval(synthetic: Any) -> None:
    speed = {"page/host": 1e8, "page/bar": 0.9e8}
    alone = synthetic(speed, noise=0.01)
    more = synthetic(speed, noise=0.01, workloads=("randread-4k-qd1", "randread-8k-qd1"))
    for boot in alone.boots:
        more.result(boot["boot"]).update(boot["workloads"][0])
    assert compared(alone).interval == compare_all(more.header, more.boots)[0].interval

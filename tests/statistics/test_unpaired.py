# SPDX-License-Identifier: GPL-2.0
"""Two samples without pairs: their intervals, p, and how many boots decide, by simulation."""

import math

import numpy as np
import pytest

from p2pbench.analysis import significance, unpaired
from p2pbench.analysis.estimate import verdict_of
from p2pbench.analysis.significance import ALPHA


@pytest.mark.parametrize("cells", [1, 4, 98, 1000])
def test_the_fewest_boots_are_those_that_can_decide_at_all(cells: int) -> None:
    fewest = unpaired.fewest_boots(cells)
    for boots, decides in ((fewest, True), (fewest + 1, True), (fewest - 1, False)):
        a, b = ([level + i / 100 for i in range(boots)] for level in (1.0, 2.0))
        for seed in (1, 2, 3):
            p = unpaired.difference(a, b, [seed], significance.resamples_for(cells)).p
            assert (max(significance.holm([p] * cells)) <= ALPHA) == decides
            assert boots > 8 or p == pytest.approx(unpaired.least_p((boots, boots)))


def test_the_boots_that_would_decide_do_decide() -> None:
    draw = np.random.default_rng(3)
    a, b = np.exp(draw.normal(0, 0.02, (2, 6)))
    needed = unpaired.boots_needed(a.tolist(), b.tolist(), 0.02, 1)
    assert needed and 6 < needed < 200
    decided = 0
    for number in range(20):
        a, b = np.exp(draw.normal(0, 0.02, (2, 3 * needed)))
        decided += (
            verdict_of(unpaired.difference(a.tolist(), b.tolist(), [number]).interval, 0.02)
            == "equivalent"
        )
    assert decided >= 15
    assert unpaired.boots_needed([1.0, 1.1], [1.0, 1.1, 1.2], 0.02, 1) is None


def test_few_boots_have_wide_intervals_and_fewer_none() -> None:
    a, b = [1.0, 1.01, 0.99], [0.90, 0.91, 0.89]
    found = unpaired.difference(a, b, [1])
    assert found.interval and found.interval.method == "BCa+t" and "too few" in found.note
    assert found.p == pytest.approx(0.1)
    assert verdict_of(found.interval, 0.02, significant=found.p <= ALPHA) == "inconclusive"
    assert unpaired.difference(a[:2], b, [1]).interval is None


def test_the_interval_of_two_samples_keeps_its_level() -> None:
    """Seeded: 300 times two samples of one kernel; 95 % of the intervals hold no difference."""
    draw = np.random.default_rng(5)
    inside = 0
    for i in range(300):
        a, b = np.exp(draw.normal(0, 0.1, (2, 8)))
        interval = unpaired.difference(a.tolist(), b.tolist(), [i]).interval
        assert interval
        inside += interval.low <= 0 <= interval.high
    assert 0.90 <= inside / 300 <= 0.99


def test_holm_is_never_smaller_than_the_one_before() -> None:
    assert significance.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert math.isclose(max(significance.holm([0.5, 0.9])), 1.0)

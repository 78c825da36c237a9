# SPDX-License-Identifier: GPL-2.0
"""The statistics keep their word on data whose truth is known: thousands of seeded experiments."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats

from p2pbench.analysis.estimate import blocks_needed, interval_of, least_found, verdict_of
from p2pbench.analysis.schedule import plan_looks
from p2pbench.analysis.significance import ALPHA, fewest_pairs, holm, p_of_each, permutation_p

EXPERIMENTS = 2000
SEED = (1,)


def noise(shape: tuple[int, ...], kind: str, seed: int = 7) -> Any:
    """Log ratios of a kernel against itself, spread as a noisy machine spreads them."""
    draw = np.random.default_rng(seed)
    if kind == "normal":
        return draw.normal(0, 0.1, shape)
    if kind == "outliers":
        return draw.standard_t(2, shape) * 0.05
    return draw.laplace(0, 0.1, shape) - draw.laplace(0, 0.1, shape)


@pytest.mark.parametrize("kind", ["normal", "outliers", "heavy"])
@pytest.mark.parametrize("pairs", [8, 10, 16])
def test_a_kernel_against_itself_raises_5_percent_of_false_alarms(kind: str, pairs: int) -> None:
    p = permutation_p(noise((EXPERIMENTS, pairs), kind), SEED)
    assert 0.04 <= np.mean(p <= ALPHA) <= 0.06


@pytest.mark.parametrize("kind", ["normal", "outliers"])
def test_of_a_whole_family_5_percent_raise_a_false_alarm_after_holm(kind: str) -> None:
    cells, pairs = 10, 10
    p = permutation_p(noise((EXPERIMENTS * cells, pairs), kind), SEED).reshape(EXPERIMENTS, cells)
    assert np.mean([min(holm(row)) <= ALPHA for row in p]) <= 0.06
    assert np.mean(p.min(axis=1) <= ALPHA) > 0.3  # what it would be without


def test_looking_often_raises_no_more_false_alarms() -> None:
    looks = plan_looks(8, 32, 600.0).shared({"throughput": 1})
    assert len(looks.deciding("throughput")) > 3
    data = noise((EXPERIMENTS, looks.blocks[-1]), "normal")
    p = np.array([permutation_p(data[:, :blocks], SEED) for blocks in looks.blocks])
    shares = np.array([[looks.share("throughput", n)] for n in range(1, len(looks.blocks) + 1)])
    assert np.mean((p <= shares).any(axis=0)) <= 0.06
    assert np.mean((p <= ALPHA).any(axis=0)) > 0.09  # what it would be with alpha at each look


@pytest.mark.parametrize("kind", ["normal", "outliers"])
def test_all_cells_at_all_looks_together_raise_5_percent_of_false_alarms(kind: str) -> None:
    """As `quick` with a budget: five looks, of which the last two may call better and worse."""
    cells, experiments = 10, EXPERIMENTS // 2
    looks = plan_looks(3, 16, 600.0).shared({"throughput": cells})
    assert looks.deciding("throughput") == (12, 16)
    data = noise((experiments * cells, looks.blocks[-1]), kind)
    alarms, uncorrected = np.zeros(experiments, bool), np.zeros(experiments, bool)
    for number, blocks in enumerate(looks.blocks, 1):
        p = permutation_p(data[:, :blocks], SEED).reshape(experiments, cells)
        adjusted = np.array([min(holm(row)) for row in p])
        share = looks.share("throughput", number)
        alarms |= (adjusted <= share) & (share > 0)
        uncorrected |= adjusted <= ALPHA
    assert np.mean(alarms) <= 0.06
    assert np.mean(uncorrected) > np.mean(alarms)


def test_a_difference_as_large_as_the_margin_is_seldom_called_equivalent_at_any_look() -> None:
    """The interval of each look is wide enough for all of them: 2.5 %, a tail of 5 %."""
    looks, margin, wrong = plan_looks(3, 16, 600.0), 0.02, 0
    data = math.log1p(margin) + np.random.default_rng(8).normal(0, 0.008, (400, 16))
    for number, row in enumerate(data):
        wrong += any(
            verdict_of(
                interval_of(list(row[:blocks]), (number,), 1 - looks.alpha),
                margin,
                significant=False,
            )
            == "equivalent"
            for blocks in looks.blocks
        )
    assert wrong / len(data) <= 0.035


@pytest.mark.parametrize("pairs", [3, 4, 6, 8, 12, 13, 20])
def test_the_interval_covers_the_truth(pairs: int) -> None:
    outside = 0
    for number, row in enumerate(noise((400, pairs), "normal")):
        interval = interval_of(list(row), (number,))
        assert interval
        outside += interval.low > 0 or interval.high < 0
    # BCa of the median is known to be narrow, of odd numbers more: 12 % at 7 pairs (README).
    assert outside / 400 < 0.115


def test_a_planted_loss_of_3_percent_is_found() -> None:
    data = np.random.default_rng(5).normal(math.log(0.97), 0.01, (300, 20))
    found = [
        verdict_of(interval_of(list(row), (number,)), 0.02, significant=p <= ALPHA)
        for number, (row, p) in enumerate(zip(data, permutation_p(data, SEED)))
    ]
    assert found.count("worse") / len(found) >= 0.9
    assert "better" not in found and "equivalent" not in found


def test_a_planted_no_op_is_not_found() -> None:
    data = np.random.default_rng(6).normal(0, 0.01, (300, 20))
    found = [
        verdict_of(interval_of(list(row), (number,)), 0.02, significant=p <= ALPHA)
        for number, (row, p) in enumerate(zip(data, permutation_p(data, SEED)))
    ]
    assert set(found) <= {"equivalent", "inconclusive"}
    assert found.count("equivalent") / len(found) >= 0.9


def test_p_is_that_of_scipys_test_on_the_data_themselves() -> None:
    row = noise((12,), "normal")
    p = scipy.stats.permutation_test(
        (row,), np.mean, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert permutation_p([row], SEED)[0] == pytest.approx(p)


def test_p_of_pairs_that_all_agree_is_2_in_2_to_the_n() -> None:
    for pairs in (2, 3, 6, 9, 14, 15):
        assert permutation_p([[0.1] * pairs], SEED)[0] == 2 / 2**pairs
    assert p_of_each([[0.1], [], [0.1] * 6], SEED) == [1.0, None, 2 / 64]


@pytest.mark.parametrize("pairs", [13, 14, 16, 17])
def test_no_seed_makes_a_certain_loss_unfindable_among_130_cells(pairs: int) -> None:
    """Of 14 pairs, 10,399 random draws would: in one seed of eight."""
    rows = [[0.1] * pairs, *noise((129, pairs), "normal").tolist()]
    for seed in range(12):
        p = p_of_each(rows, (seed,))
        assert holm([value for value in p if value is not None])[0] <= ALPHA


@pytest.mark.parametrize(("pairs", "cells"), [(12, 98), (14, 130), (20, 48)])
def test_the_loss_that_would_rather_be_missed_is_found_in_half_of_the_runs(
    pairs: int, cells: int
) -> None:
    spread, z = 0.1, scipy.stats.norm.ppf(0.975)
    half_width = z * math.sqrt(math.pi / 2) * spread / math.sqrt(pairs)
    least = least_found(half_width, pairs, 0.02, ALPHA, cells, ALPHA)
    for part, low, high in ((1.0, 0.35, 0.65), (0.7, 0.0, 0.3), (1.4, 0.7, 1.0)):
        data = np.random.default_rng(8).normal(-least * part, spread, (400, pairs))
        share = float(np.mean(permutation_p(data, SEED, 100_000) * cells <= ALPHA))
        assert low <= share <= high, (part, share)


def test_holm_is_that_of_his_paper() -> None:
    # The example of his section 4 in short: m p, (m-1) p, ..., never falling.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("cells", [1, 2, 10, 26, 300])
def test_the_fewest_pairs_are_those_that_can_decide_at_all(cells: int) -> None:
    fewest = fewest_pairs(cells)
    assert cells * 2 / 2**fewest <= ALPHA < cells * 2 / 2 ** (fewest - 1)
    p = p_of_each([[0.1] * fewest] * cells, SEED)
    assert max(holm([value for value in p if value is not None])) <= ALPHA
    assert blocks_needed([-0.1, -0.11, -0.1], 0.02, cells=cells) == max(fewest, 6)

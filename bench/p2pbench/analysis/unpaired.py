# SPDX-License-Identifier: GPL-2.0
"""Samples of two runs against each other: no blocks in common, so nothing is paired.

a_i and b_j are the boots' figures of one cell in the two runs, n_a and n_b of them.

    ratio     exp(median ln b - median ln a)
    interval  95 %, BCa bootstrap of that difference, both sides drawn by themselves
              (scipy.stats.bootstrap, paired=False), from a seeded generator. Under 6 boots a side
              no resampling reaches 95 %: there it is widened to hold Welch's t interval of the
              means (B. L. Welch, Biometrika 34 (1947)). Under 3 boots a side: no interval
    p         of a permutation test of the difference of the means of ln, boots exchanged between
              the runs (scipy.stats.permutation_test, permutation_type="independent"): exact up to
              8 boots in each, by seeded random draws beyond, as of pairs (significance.py)
    Holm      over all cells that the two runs have in common
    verdict   as estimate.py has it, from this interval and p after Holm
    fewest    There are C(n_a + n_b, n_a) ways to exchange the boots, so p is never under 2 over
              that: m cells need the n boots in each run with m 2 / C(2n, n) <= 0.05
    boots     that would decide, in each run: the n for which z(0.975) sqrt(pi/2) s / sqrt(n) is
              the distance of the difference of medians from the margin, s^2 = s_a^2 + s_b^2; where
              it is beyond the margin at least the fewest, and the n for which
              z(1 - 0.025/m) s / sqrt(n) is the difference of the means (estimate.py, of pairs)

What changed between the runs besides the kernels (another load of the machine, another day) is in
the difference too, which a block of one run would have in both of its boots.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import scipy.stats

from p2pbench.analysis.estimate import (
    Interval,
    Scatter,
    bootstrap,
    fewest_for_bootstrap,
    needed_to_decide,
)
from p2pbench.analysis.significance import ALPHA, RESAMPLES

FEWEST_BOOTS = 3
EXACT_WAYS = math.comb(16, 8)


@dataclass(frozen=True)
class Difference:
    """ln(ratio) of B against A, its interval (None: too few boots), p, and what to know of it."""

    log_ratio: float
    interval: Interval | None
    p: float
    note: str


def difference(
    a: Sequence[float], b: Sequence[float], seed: Sequence[int], resamples: int = RESAMPLES
) -> Difference:
    """How the figures of two runs differ; both have at least one, all above 0."""
    sides = np.log(np.asarray(a, dtype=float)), np.log(np.asarray(b, dtype=float))
    middle, p = float(_difference(np.median, *sides, axis=-1)), _permutation_p(
        sides, seed, resamples
    )
    fewest = min(len(a), len(b))
    if fewest < FEWEST_BOOTS:
        return Difference(
            middle, None, p, f"{len(a)} and {len(b)} boots: an interval needs {FEWEST_BOOTS} each"
        )
    interval = bootstrap(sides, partial(_difference, np.median), seed)
    if fewest >= fewest_for_bootstrap():
        return Difference(middle, interval, p, interval.note)
    low, high = _welch(sides)
    interval = replace(
        interval,
        low=min(interval.low, low),
        high=max(interval.high, high),
        method=f"{interval.method}+t",
    )
    note = (
        f"{len(a)} and {len(b)} boots are too few for a bootstrap interval of 95 %, "
        "so it is widened to Welch's t"
    )
    return Difference(middle, interval, p, note)


def least_p(boots: Sequence[int]) -> float:
    """The smallest p that so many boots in the two runs can have."""
    return min(1.0, 2 / math.comb(sum(boots), boots[0])) if min(boots) > 1 else 1.0


def fewest_boots(cells: int) -> int:
    """The fewest boots in each run with which Holm over so many cells can find a difference."""
    boots = 2
    while cells * least_p((boots, boots)) > ALPHA:
        boots += 1
    return boots


def boots_needed(a: Sequence[float], b: Sequence[float], margin: float, cells: int) -> int | None:
    """How many boots in each run would decide (formula above); None under 3 of them."""
    if min(len(a), len(b)) < FEWEST_BOOTS:
        return None
    sides = np.log(np.asarray(a)), np.log(np.asarray(b))
    spread = math.sqrt(sum(float(np.var(side, ddof=1)) for side in sides))
    median, mean = (float(_difference(middle, *sides, axis=-1)) for middle in (np.median, np.mean))
    return needed_to_decide(
        min(len(a), len(b)),
        Scatter(median, mean, spread),
        margin,
        ALPHA,
        cells,
        ALPHA,
        fewest_boots(cells),
    )


def _difference(middle: Any, a: Any, b: Any, axis: int) -> Any:
    """What is asked: how far the middle of b is from that of a."""
    return middle(b, axis=axis) - middle(a, axis=axis)


def _welch(sides: tuple[Any, Any]) -> tuple[float, float]:
    """The t interval of the difference of means without equal variances."""
    parts = [float(np.var(side, ddof=1)) / len(side) for side in sides]
    middle = float(np.mean(sides[1]) - np.mean(sides[0]))
    if sum(parts) == 0:
        return middle, middle
    freedom = sum(parts) ** 2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides))
    half = float(scipy.stats.t.ppf(1 - ALPHA / 2, freedom)) * math.sqrt(sum(parts))
    return middle - half, middle + half


def _permutation_p(sides: tuple[Any, Any], seed: Sequence[int], resamples: int) -> float:
    if min(map(len, sides)) < 2:
        return 1.0
    ways = math.comb(sum(map(len, sides)), len(sides[0]))
    if ways <= EXACT_WAYS:
        resamples = max(resamples, ways)
    return float(
        scipy.stats.permutation_test(
            sides,
            partial(_difference, np.mean),
            permutation_type="independent",
            n_resamples=resamples,
            vectorized=True,
            axis=-1,
            random_state=np.random.default_rng(list(seed)),
        ).pvalue
    )

"""Samples of two runs against each other: no blocks in common, so nothing is paired.

a_i and b_j are the boots' figures of one cell in the two runs, n_a and n_b of them.

    ratio     exp(median ln b - median ln a)
    interval  95 %, BCa bootstrap of that difference, both sides drawn by themselves
              (scipy.stats.bootstrap, paired=False), from a seeded generator. Under 6 boots a side
              no resampling reaches 95 %: there it is widened to hold Welch's t interval of the
              means (B. L. Welch, Biometrika 34 (1947)). Under 3 boots a side: no interval
    p         of a permutation test of the difference of the means of ln, boots exchanged between
              the runs (scipy.stats.permutation_test, permutation_type="independent")
    Holm      over all cells that the two runs have in common
    verdict   as estimate.py has it, from this interval and p after Holm

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
import scipy.stats  # type: ignore[import]

from .estimate import Interval, bootstrap, fewest_for_bootstrap
from .significance import ALPHA, RESAMPLES

FEWEST_BOOTS = 3


@dataclass(frozen=True)
class Difference:
    """ln(ratio) of B against A, its interval (None: too few boots), p, and what to know of it."""

    log_ratio: float
    interval: Interval | None
    p: float
    note: str


def difference(a: Sequence[float], b: Sequence[float], seed: Sequence[int]) -> Difference:
    """How the figures of two runs differ; both have at least one, all above 0."""
    sides = np.log(np.asarray(a, dtype=float)), np.log(np.asarray(b, dtype=float))
    middle, p = float(_difference(np.median, *sides, axis=-1)), _permutation_p(sides, seed)
    fewest = min(len(a), len(b))
    if fewest < FEWEST_BOOTS:
        return Difference(middle, None, p,
                          f"{len(a)} and {len(b)} boots: an interval needs {FEWEST_BOOTS} each")
    interval = bootstrap(sides, partial(_difference, np.median), seed)
    if fewest >= fewest_for_bootstrap():
        return Difference(middle, interval, p, interval.note)
    low, high = _welch(sides)
    interval = replace(interval, low=min(interval.low, low), high=max(interval.high, high),
                       method=f"{interval.method}+t")
    note = (f"{len(a)} and {len(b)} boots are too few for a bootstrap interval of 95 %, "
            "so it is widened to Welch's t")
    return Difference(middle, interval, p, note)


def _difference(middle: Any, a: Any, b: Any, axis: int) -> Any:
    """What is asked: how far the middle of b is from that of a."""
    return middle(b, axis=axis) - middle(a, axis=axis)


def _welch(sides: tuple[Any, Any]) -> tuple[float, float]:
    """The t interval of the difference of means without equal variances."""
    parts = [float(np.var(side, ddof=1)) / len(side) for side in sides]
    middle = float(np.mean(sides[1]) - np.mean(sides[0]))
    if sum(parts) == 0:
        return middle, middle
    freedom = sum(parts) ** 2 / sum(part ** 2 / (len(side) - 1)
                                    for part, side in zip(parts, sides))
    half = float(scipy.stats.t.ppf(1 - ALPHA / 2, freedom)) * math.sqrt(sum(parts))
    return middle - half, middle + half


def _permutation_p(sides: tuple[Any, Any], seed: Sequence[int]) -> float:
    if min(map(len, sides)) < 2:
        return 1.0
    return float(scipy.stats.permutation_test(
        sides, partial(_difference, np.mean), permutation_type="independent",
        n_resamples=RESAMPLES, vectorized=True, axis=-1,
        random_state=np.random.default_rng(list(seed))).pvalue)

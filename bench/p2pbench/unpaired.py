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
    verdict   better, worse: the interval is beyond the margin and p after Holm at most 0.05;
              equivalent: the interval is inside the margin; else inconclusive

What changed between the runs besides the kernels (another load of the machine, another day) is in
the difference too, which a block of one run would have in both of its boots.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats  # type: ignore[import]

from .significance import ALPHA, RESAMPLES
from .words import METRICS

FEWEST_BOOTS = 3
FEWEST_FOR_BOOTSTRAP = 6


@dataclass(frozen=True)
class Difference:
    """ln(ratio) of B against A, its bounds (None: too few boots), how they were found, and p."""

    log_ratio: float
    bounds: tuple[float, float] | None
    method: str
    p: float
    note: str


def difference(a: Sequence[float], b: Sequence[float], seed: Sequence[int]) -> Difference:
    """How the figures of two runs differ; both have at least one, all above 0."""
    sides = np.log(np.asarray(a, dtype=float)), np.log(np.asarray(b, dtype=float))
    middle = float(np.median(sides[1]) - np.median(sides[0]))
    fewest = min(len(a), len(b))
    if fewest < FEWEST_BOOTS:
        return Difference(middle, None, "", _permutation_p(sides, seed),
                          f"{len(a)} and {len(b)} boots: an interval needs {FEWEST_BOOTS} each")
    bounds, method = _bootstrap(sides, seed)
    note = ""
    if fewest < FEWEST_FOR_BOOTSTRAP:
        low, high = _welch(sides)
        bounds, method = (min(bounds[0], low), max(bounds[1], high)), f"{method}+t"
        note = (f"{len(a)} and {len(b)} boots are too few for a bootstrap interval of 95 %, "
                "so it is widened to Welch's t")
    return Difference(middle, bounds, method, _permutation_p(sides, seed), note)


def verdict_of(found: Difference, margin: float, metric: str, p_holm: float) -> str:
    """better, worse, equivalent or inconclusive, as the table above says."""
    if found.bounds is None:
        return "inconclusive"
    edge = math.log1p(margin)
    low, high = found.bounds
    if -edge <= low and high <= edge:
        return "equivalent"
    if p_holm > ALPHA or low <= edge and high >= -edge:
        return "inconclusive"
    return "better" if (low > edge) == METRICS[metric].more_is_better else "worse"


def _bootstrap(sides: tuple[Any, Any], seed: Sequence[int]) -> tuple[tuple[float, float], str]:
    """BCa; the percentile interval where BCa has no value (data that hardly differ)."""
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of degenerate data: told by the nan
            found = scipy.stats.bootstrap(
                sides, lambda a, b, axis: np.median(b, axis=axis) - np.median(a, axis=axis),
                n_resamples=RESAMPLES, method=method, paired=False, vectorized=True, axis=-1,
                confidence_level=1 - ALPHA, random_state=np.random.default_rng(list(seed)),
            ).confidence_interval
        low, high = float(found.low), float(found.high)
        if math.isfinite(low) and math.isfinite(high):
            break
    return (low, high), method


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
        sides, lambda a, b, axis: np.mean(b, axis=axis) - np.mean(a, axis=axis),
        permutation_type="independent", n_resamples=RESAMPLES, vectorized=True, axis=-1,
        random_state=np.random.default_rng(list(seed))).pvalue)

# SPDX-License-Identifier: GPL-2.0
"""How large is a difference, how sure is that, and how many blocks would settle it?

d_i = ln(c_i / b_i) of pair i, n pairs, confidence 1 - alpha.

    ratio     exp(median d)
    interval  bias-corrected and accelerated bootstrap of median d: B. Efron, "Better bootstrap
              confidence intervals", JASA 82 (1987), as scipy.stats.bootstrap has it, from a seeded
              generator
    few pairs The range of n pairs covers their true median with probability 1 - 2^(1-n)
              (H. A. David, H. N. Nagaraja, "Order Statistics", 3rd ed., section 7.1), so under 6
              pairs no resampling of them reaches 95 %. There the interval is widened to hold
              Student's t interval, mean d +- t(1-alpha/2, n-1) s / sqrt(n), which takes ln of
              the ratios for normally distributed. Under 3 pairs: no interval
    verdict   with a practical margin m: equivalent when the whole interval lies within ln(1+m) of
              0; worse or better when all of it lies beyond and the difference is significant; else
              inconclusive. The margin is symmetric in ln(ratio), so that exchanging the two sides
              turns the verdict round
    blocks    that would decide: the n for which z(1-alpha/2) sqrt(pi/2) s / sqrt(n) is the
              distance of |median d| from ln(1+m); sqrt(pi/2) s / sqrt(n) is the standard error of
              the median of a normal sample (R. J. Serfling, "Approximation Theorems", 1980,
              section 2.3). Where the median is beyond the margin, p must be small too: at least
              the fewest pairs for that (significance.py), and the n for which
              z(1-share/2k) s / sqrt(n) is |mean d|, with k cells in Holm's family and what a look
              may spend on better and worse as share (schedule.py)
    found     the difference that n pairs are as likely to call better or worse as not: beyond the
              margin by the half width h of the interval, and by t(1-share/2k, n-1) s / sqrt(n)
              away from 0, as a permutation test of few pairs wants (R. A. Fisher, see
              significance.py, found t to be close to it); s / sqrt(n) = h / (z(1-alpha/2)
              sqrt(pi/2)), as above
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.stats

from p2pbench.analysis.significance import ALPHA, RESAMPLES, fewest_pairs

CONFIDENCE = 1 - ALPHA
FEWEST_PAIRS = 3
MOST_BLOCKS = 10_000
# Doubles that a batch of resamples may take at a time: few enough for a CPU's cache. The draws
# do not depend on it.
_BATCH_DOUBLES = 100_000


@dataclass(frozen=True)
class Interval:
    """Bounds of ln(ratio), and how they were found."""

    low: float
    high: float
    method: str
    note: str = ""
    confidence: float = CONFIDENCE

    def in_report(self) -> dict[str, Any]:
        """The bounds as ratios, as reports hold them."""
        return {
            "low": math.exp(self.low),
            "high": math.exp(self.high),
            "confidence": self.confidence,
            "method": self.method,
        }


def fewest_for_bootstrap(confidence: float = CONFIDENCE) -> int:
    """The fewest pairs whose range covers their median with this confidence."""
    return 1 + math.ceil(-math.log2(1 - confidence) - 1e-9)


def interval_of(
    log_ratios: Sequence[float], seed: Sequence[int], confidence: float = CONFIDENCE
) -> Interval | None:
    """The interval of the median of `log_ratios`; None under 3 of them (see above)."""
    if len(log_ratios) < FEWEST_PAIRS:
        return None
    interval = bootstrap((_ranks(log_ratios),), _median_by_rank(log_ratios), seed, confidence)
    if len(log_ratios) >= fewest_for_bootstrap(confidence):
        return interval
    low, high = _student(log_ratios, confidence)
    note = (
        f"{len(log_ratios)} pairs are too few for a bootstrap interval of "
        f"{100 * confidence:.4g} %, so it is widened to Student's t"
    )
    return Interval(
        min(interval.low, low),
        max(interval.high, high),
        f"{interval.method}+t",
        "; ".join(filter(None, (interval.note, note))),
        confidence,
    )


def _ranks(values: Sequence[float]) -> Any:
    """The places of the values in their order, as small numbers: the median of those is quick."""
    ranks = np.empty(len(values), dtype=np.min_scalar_type(len(values)))
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks


def _median_by_rank(values: Sequence[float]) -> Callable[..., Any]:
    """The median of resamples that are given as ranks; to the bit that of numpy of the values."""
    order = np.sort(values)

    def median(ranks: Any, axis: int) -> Any:
        middle = sorted({(ranks.shape[axis] - 1) // 2, ranks.shape[axis] // 2})
        # Numbers of 16 bits or less are sorted by radix: five times as fast as to partition them.
        places = np.sort(ranks, axis=axis, kind="stable").take(middle, axis=axis)
        return order[places].mean(axis=axis)

    return median


def bootstrap(
    samples: tuple[Any, ...], statistic: Any, seed: Sequence[int], confidence: float = CONFIDENCE
) -> Interval:
    """The interval of a statistic of arrays that are drawn each by itself; it takes an axis.

    BCa; the percentile interval where BCa has no value (data that hardly differ).
    """
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of degenerate data: told by the nan, noted below
            bounds = scipy.stats.bootstrap(
                samples,
                statistic,
                confidence_level=confidence,
                n_resamples=RESAMPLES,
                batch=max(1, _BATCH_DOUBLES // max(map(len, samples))),
                method=method,
                paired=False,
                vectorized=True,
                axis=-1,
                random_state=np.random.default_rng(list(seed)),
            ).confidence_interval
        low, high = float(bounds.low), float(bounds.high)
        if math.isfinite(low) and math.isfinite(high):
            break
    note = (
        ""
        if method == "BCa"
        else (
            "these figures differ too little for the bootstrap's correction (BCa), so the interval "
            "is its plain percentiles"
        )
    )
    return Interval(low, high, method, note, confidence)


def verdict_of(
    interval: Interval | None, margin: float, less_is_better: bool = False, significant: bool = True
) -> str:
    """better, worse, equivalent or inconclusive, as the table above says."""
    if interval is None:
        return "inconclusive"
    edge = math.log1p(margin)
    if -edge <= interval.low and interval.high <= edge:
        return "equivalent"
    if not significant or interval.low <= edge and interval.high >= -edge:
        return "inconclusive"
    return "worse" if (interval.low > edge) == less_is_better else "better"


def blocks_needed(
    log_ratios: Sequence[float],
    margin: float,
    alpha: float = ALPHA,
    cells: int = 1,
    share: float = ALPHA,
) -> int | None:
    """How many blocks would decide (formula above), at most MOST_BLOCKS; None under 3 pairs."""
    if len(log_ratios) < FEWEST_PAIRS:
        return None
    return needed_to_decide(
        len(log_ratios),
        Scatter(
            float(np.median(log_ratios)),
            float(np.mean(log_ratios)),
            float(np.std(log_ratios, ddof=1)),
        ),
        margin,
        alpha,
        cells,
        share,
        fewest_pairs(cells, share),
    )


class Scatter(NamedTuple):
    """Of differences of ln: their median and mean, and s of the formula above."""

    median: float
    mean: float
    spread: float


def needed_to_decide(
    there: int, found: Scatter, margin: float, alpha: float, cells: int, share: float, fewest: int
) -> int:
    """The most of what each part of a verdict needs (formula above), one more than are there.

    fewest: the n under which no p can be small enough.
    """
    middle, edge = abs(found.median), math.log1p(margin)
    needed = [
        there + 1,
        fewest_for_bootstrap(1 - alpha),
        _blocks_for(_half_width(alpha) * found.spread, abs(middle - edge)),
    ]
    if middle > edge:
        needed += [
            fewest,
            _blocks_for(_normal(1 - share / (2 * cells)) * found.spread, abs(found.mean)),
        ]
    return max(needed)


def least_found(
    half_width: float, pairs: int, margin: float, alpha: float, cells: int, share: float
) -> float:
    """The |ln ratio| that is found in half of the runs ("found" above); 2 pairs or more."""
    error = half_width / _half_width(alpha)
    quantile = float(scipy.stats.t.isf(share / (2 * cells), pairs - 1))
    return max(math.log1p(margin) + half_width, quantile * error)


def _half_width(alpha: float) -> float:
    """Of the interval of a median of n, in units of s / sqrt(n)."""
    return _normal(1 - alpha / 2) * math.sqrt(math.pi / 2)


def _blocks_for(spread: float, distance: float) -> int:
    """The n for which spread / sqrt(n) is the distance, at most MOST_BLOCKS."""
    if spread >= distance * math.sqrt(MOST_BLOCKS):
        return MOST_BLOCKS
    return math.ceil((spread / distance) ** 2)


def _normal(probability: float) -> float:
    return float(scipy.stats.norm.ppf(probability))


def _student(log_ratios: Sequence[float], confidence: float) -> tuple[float, float]:
    n = len(log_ratios)
    quantile = float(scipy.stats.t.ppf((1 + confidence) / 2, n - 1))
    half = quantile * float(np.std(log_ratios, ddof=1)) / math.sqrt(n)
    mean = float(np.mean(log_ratios))
    return mean - half, mean + half

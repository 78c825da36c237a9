# SPDX-License-Identifier: GPL-2.0
"""Is a difference more than chance? Permutation p, Holm over many cells, the fewest pairs.

p       Under the hypothesis that the two sides of a pair do not differ, the order of a block being
        random, every d_i is as likely as -d_i. p is the share of all 2^n ways to set the signs in
        which the mean of d is at least as far out as the one that was seen, twice the smaller tail
        (R. A. Fisher, "The Design of Experiments", 1935, section 21), as
        scipy.stats.permutation_test has it with permutation_type="samples": exact up to 15 pairs,
        by seeded random signs beyond, where it counts the data themselves as one draw
        (B. Phipson, G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010), article 39). Were 14
        pairs left to 10,000 random draws, some seeds would hit the one way that is as far out
        as data of one sign twice or more, and no cell of 130 could be told from chance
        The mean and not the median: a median does not notice most changes of sign
p_holm  S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statist. 6
        (1979): the i-th smallest of m p-values is multiplied by m - i + 1, and none is smaller
        than the one before it. Whatever the cells have in common, the chance of one false alarm
        or more among them stays at alpha
fewest  p is never under 2^(1-n), so that m cells need the n with m 2^(1-n) <= alpha
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.stats

ALPHA = 0.05
RESAMPLES = 9999
EXACT_PAIRS = 15
# What is held in memory at a time: numbers in a batch of signs, and cells.
_BATCH_DOUBLES = 100_000
_CELLS = 100


def permutation_p(log_ratios: Any, seed: Sequence[int], resamples: int = RESAMPLES) -> Any:
    """The two-sided p of each row of `log_ratios` (cells x pairs), as an array.

    What is permuted are the signs alone, the same for every row: the statistic multiplies them
    with all rows at once, which is a hundred times faster than to permute each row's data.
    """
    data = np.asarray(log_ratios, dtype=float)
    cells, pairs = data.shape
    if pairs < 2:
        return np.ones(cells)
    if pairs <= EXACT_PAIRS:
        resamples = max(resamples, 2**pairs)
    return np.concatenate(
        [_permuted(part, seed, resamples) for part in np.array_split(data, -(-cells // _CELLS))]
    )


def _permuted(data: Any, seed: Sequence[int], resamples: int) -> Any:
    pairs = data.shape[1]
    return scipy.stats.permutation_test(
        (np.ones(pairs),),
        lambda signs, axis: signs @ data.T / pairs,
        permutation_type="samples",
        n_resamples=resamples,
        batch=max(1, _BATCH_DOUBLES // pairs),
        vectorized=True,
        axis=-1,
        random_state=np.random.default_rng([*seed, pairs]),
    ).pvalue


def p_of_each(
    log_ratios: Sequence[Sequence[float]], seed: Sequence[int], alpha: float = ALPHA
) -> list[float | None]:
    """The p of each cell; None for a cell without a pair.

    Cells of as many pairs are tested together, which is quick; the signs depend on the seed and
    on the number of pairs alone.
    """
    found: list[float | None] = [None] * len(log_ratios)
    resamples = resamples_for(len(log_ratios), alpha)
    for pairs in sorted({len(row) for row in log_ratios} - {0}):
        mine = [i for i, row in enumerate(log_ratios) if len(row) == pairs]
        values = permutation_p([log_ratios[i] for i in mine], seed, resamples)
        for i, value in zip(mine, values):
            found[i] = float(value)
    return found


def resamples_for(cells: int, alpha: float = ALPHA) -> int:
    """How many random draws show a p small enough for Holm over so many cells.

    Up to three of them may be as far out as the data, by chance: p is 2 (3 + 1) / (draws + 1).
    """
    return max(RESAMPLES, math.ceil(8 * cells / alpha) - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number, in the order given."""
    adjusted = [1.0] * len(p_values)
    least = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        least = max(least, (len(p_values) - rank) * p_values[i])
        adjusted[i] = min(1.0, least)
    return adjusted


def fewest_pairs(cells: int, alpha: float = ALPHA) -> int:
    """The fewest pairs with which Holm over so many cells can find a difference at alpha at all."""
    return 1 + math.ceil(math.log2(max(cells, 1) / alpha) - 1e-9)

# SPDX-License-Identifier: GPL-2.0
"""When a run looks at its data, and what each look may decide: planned before the first boot.

The plan follows from the matrix alone: its `blocks` and `most_blocks`, and the number of cells.

    looks        without a budget one, at the end; with one after `blocks`, then each after half
                 as many again, up to `most_blocks`: K of them
    equivalent   at any look, when the interval of confidence 1 - 0.05 / K lies inside the margin.
                 A difference as large as the margin is missed by one look with probability
                 0.05 / 2K nominally, so by all of them with 0.025, as by one look at 95 %. (BCa of
                 few pairs is a little narrow: 0.025 to 0.028 of 3,000 simulated runs of `quick`)
    better,      at a look with a share of the 0.05: the interval, of the same confidence, lies
    worse        beyond the margin, and p after Holm is at most the share. The shares add up to
                 0.05, so by Bonferroni's inequality the chance of one false alarm or more in a
                 family, over all its cells and looks, stays there (C. Jennison, B. W. Turnbull,
                 "Group Sequential Methods with Applications to Clinical Trials", 2000, chapter 2,
                 of which this is the plainest and most cautious)
    family       the cells of a metric (metrics.py), and apart from them its A/A cells
    shares       A look with fewer pairs than Holm over the cells of a family needs at its share
                 (significance.py) could call nothing better or worse: a share would be lost on it.
                 So the last J looks share alike, J as large as it can be with enough blocks for
                 each of them. Each family has shares of its own

The two errors do not add up in a cell: what differs by less than the margin can wrongly be called
better or worse, what differs by as much can wrongly be called equivalent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from p2pbench.analysis.significance import ALPHA, fewest_pairs
from p2pbench.records.metrics import AA
from p2pbench.records.records import Header


@dataclass(frozen=True)
class Looks:
    """After how many blocks a run looks at its data; `shares` by family, one number a look."""

    blocks: tuple[int, ...]
    budget_s: float | None = None
    shares: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def alpha(self) -> float:
        """What the intervals of each look leave to chance."""
        return ALPHA / len(self.blocks)

    def shared(self, cells: Mapping[str, int]) -> Looks:
        """The same looks, the 5 % shared by those that can decide; `cells` by family."""
        return replace(
            self,
            shares={family: shares_of(self.blocks, number) for family, number in cells.items()},
        )

    def share(self, family: str, look: int) -> float:
        """What a look, counted from 1, may spend on better and worse; 0: it calls neither."""
        # Runs from before had one family of all metrics, and before that as much for each look.
        shares = self.shares.get(family) or self.shares.get(
            "aa" if family.startswith(AA) else "cells"
        )
        return shares[min(look, len(shares)) - 1] if shares else self.alpha

    def deciding(self, family: str) -> tuple[int, ...]:
        """The looks that may call a cell better or worse, as numbers of blocks."""
        return tuple(
            blocks for look, blocks in enumerate(self.blocks, 1) if self.share(family, look)
        )

    def deciding_share(self, family: str) -> float:
        """What each of those looks may spend."""
        return self.share(family, len(self.blocks))

    def fewest(self, family: str, cells: int) -> int:
        """The fewest blocks after which one of so many cells can be called better or worse."""
        before = len(self.blocks) - len(self.deciding(family))
        return max(
            fewest_pairs(cells, self.deciding_share(family)),
            self.blocks[before - 1] if before else 0,
        )

    def as_json(self) -> dict[str, Any]:
        """What the header of the journal keeps."""
        return {
            "budget_s": self.budget_s,
            "looks": list(self.blocks),
            "alpha_per_look": self.alpha,
            "shares": {family: list(shares) for family, shares in self.shares.items()},
        }


def shares_of(blocks: Sequence[int], cells: int) -> tuple[float, ...]:
    """What each look may spend on better and worse; all on the last where none has enough."""
    for before in range(len(blocks)):
        share = ALPHA / (len(blocks) - before)
        if blocks[before] >= fewest_pairs(cells, share) or before == len(blocks) - 1:
            break
    return (0.0,) * before + (share,) * (len(blocks) - before)


def plan_looks(first: int, most: int, budget_s: float | None) -> Looks:
    """One look without a budget; else looks that grow by half, the last at `most` blocks."""
    if budget_s is None:
        return Looks((first,))
    blocks = [first]
    while blocks[-1] < most:
        blocks.append(min(most, -(-blocks[-1] * 3 // 2)))
    return Looks(tuple(blocks), budget_s)


def looks_of(header: Header) -> Looks:
    """The looks that a run was planned with; older runs have one."""
    stopping = header.get("stopping")
    return looks_from(stopping) if stopping else Looks((header["matrix"]["blocks"],))


def looks_from(stopping: Mapping[str, Any]) -> Looks:
    """The looks as a header or a report says them."""
    shares = stopping.get("shares", {})
    return Looks(
        tuple(stopping["looks"]),
        stopping["budget_s"],
        {family: tuple(listed) for family, listed in shares.items()},
    )

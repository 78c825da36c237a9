# SPDX-License-Identifier: GPL-2.0
"""A/A: what the harness says of a kernel against itself; a difference is an alarm.

What is counted repeats so well that an interval beyond the margin is one, whatever p is: a run may
have too few of these boots for a p that Holm lets pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from p2pbench.analysis.estimate import verdict_of
from p2pbench.analysis.verdicts import Comparison
from p2pbench.base import units
from p2pbench.records.kinds import COUNT
from p2pbench.records.metrics import INSTRUCTIONS, METRICS
from p2pbench.records.records import CompareRecord
from p2pbench.report import wording

Compared = Callable[[CompareRecord, Sequence[Comparison]], dict[str, Any]]


def section(found: Sequence[Comparison], compared: Compared) -> dict[str, Any] | None:
    """The A/A part of a report; None for a run without. `compared` makes an entry of compares."""
    if not found:
        return None
    compares: list[CompareRecord] = []
    for one in found:
        if one.question.compare not in compares:
            compares.append(one.question.compare)
    return {
        "cells": len(_paired(found)),
        "without_pairs": len(found) - len(_paired(found)),
        "alarms": len(_alarming(found)),
        "insn_spread": max(
            (
                abs(math.expm1(pair.log_ratio))
                for one in found
                if one.question.metric == INSTRUCTIONS
                for pair in one.pairs
            ),
            default=None,
        ),
        "headline": _headline(found),
        "compares": [
            compared(compare, [one for one in found if one.question.compare == compare])
            for compare in compares
        ],
    }


def alarm(found: Sequence[Comparison]) -> list[str]:
    """What a report must say on top; nothing when no A/A cell raised an alarm."""
    mine = [one for one in found if one.question.second]
    return [_headline(mine)] if _alarming(mine) else []


def _alarming(found: Sequence[Comparison]) -> list[Comparison]:
    return [one for one in found if one.verdict in ("better", "worse") or _is_beyond(one)]


def _is_beyond(one: Comparison) -> bool:
    """Whether the whole interval of what was counted lies beyond the margin, on either side."""
    return METRICS[one.question.metric].kind == COUNT and (
        verdict_of(one.interval, one.margin) in ("better", "worse")
    )


def _paired(found: Sequence[Comparison]) -> list[Comparison]:
    """The cells that can differ at all: without a pair nothing was compared."""
    return [one for one in found if one.pairs]


def _said(one: Comparison) -> str:
    """The verdict of a cell that raised an alarm, or by how much it lies beyond the margin."""
    if one.verdict in ("better", "worse"):
        return one.verdict
    return wording.change(one.ratio)


def _headline(found: Sequence[Comparison]) -> str:
    alarms, cells = _alarming(found), units.plural(len(_paired(found)), "cell")
    rest = wording.without_pairs(
        [{"metric": one.question.metric, "pairs": one.pairs} for one in found]
    )
    if not _paired(found):
        return f"A/A: nothing was compared: {rest}"
    if not alarms:
        return f"A/A: no alarm in {cells}{'; ' + rest if rest else ''}"
    named = ", ".join(
        f"{METRICS[one.question.metric].shown} of "
        f"{one.question.compare['baseline']['variant']}/"
        f"{one.question.compare['baseline']['provider']} "
        f"{one.question.workload['name']} {_said(one)}"
        for one in alarms
    )
    return (
        f"A/A ALARM: {len(alarms)} of {cells} differ from themselves ({named}); "
        "something other than the kernel moves these figures, so trust no verdict of this "
        "report before it is found"
    )

# SPDX-License-Identifier: GPL-2.0
"""The verdict of each question of a run, at each look at its boots.

    verdict   as estimate.py has it, with the practical margin of the metric; a difference is
              significant with p_holm at most the share of the error rate that the look has
    family    Holm corrects over all cells of a metric that have a pair (the percentiles of
              latency are one); the A/A cells of each are a family of their own
    looks     A run with a budget looks at its data up to K times (schedule.py), with intervals of
              confidence 1 - 0.05 / K. A cell with a verdict is settled: the verdict stays.
              A cell called better or worse leaves Holm's family of the looks that follow, as the
              step-down of a closed test allows (W. Maurer, F. Bretz, "Multiple Testing in Group
              Sequential Trials Using Graphical Approaches", Stat. Biopharm. Res. 5 (2013)); one
              called equivalent stays in it with p = 1. Without a budget there is one look
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, cast

import numpy as np

from p2pbench.analysis.estimate import (
    FEWEST_PAIRS,
    Interval,
    blocks_needed,
    interval_of,
    verdict_of,
)
from p2pbench.analysis.questions import Question, environment_of, questions
from p2pbench.analysis.samples import Gap, Pair, Samples, pair_up, planned_pairs
from p2pbench.analysis.schedule import looks_of
from p2pbench.analysis.significance import holm, p_of_each
from p2pbench.records.journal import Look
from p2pbench.records.metrics import METRICS, with_aa
from p2pbench.records.records import BootRecord, Header


class Rates(NamedTuple):
    """What a look leaves to chance: its intervals, its p, and the p of looks that may decide."""

    interval: float
    share: float
    deciding: float


@dataclass(frozen=True)
class Comparison:
    """A question and its answer at a look. `ratio` is None when invalid or without a pair."""

    question: Question
    margin: float
    verdict: str
    ratio: float | None
    interval: Interval | None
    p: float | None
    p_holm: float | None
    blocks_needed: int | None
    pairs: list[Pair]
    missing: list[Gap]
    reasons: list[str]
    notes: list[str] = field(default_factory=list)
    look: int = 1
    environment_class: str = ""

    def latency(self, key: str) -> float | None:
        """The median over the pairs of candidate over baseline; a figure without a verdict."""
        ratios = []
        for pair in self.pairs:
            base, new = (
                cast("Mapping[str, float]", sample.metrics or {}).get(key, 0.0)
                for sample in (pair.baseline, pair.candidate)
            )
            if base > 0:
                ratios.append(new / base)
        return float(np.median(ratios)) if ratios and self.verdict != "invalid" else None


def compare_all(
    header: Header,
    boots: Iterable[BootRecord],
    looks: Sequence[Look] = (),
    left_out: Iterable[str] = (),
) -> list[Comparison]:
    """The answer to every question, each from the look that settled it, else from all boots."""
    asked = questions(header)
    settled: dict[str, Comparison] = {}
    planned = [look for look in looks if look.record["why"] == "planned"]
    for look in planned:
        samples = Samples(header, look.boots, until=look.record["blocks"])
        settled |= {
            one.question.name: one
            for one in answers(samples, asked, settled, look.record["look"])
            if one.verdict != "inconclusive"
        }
    samples = Samples(header, boots, set(left_out))
    last = answers(samples, asked, settled, last_look(looks) + 1)
    found = settled | {one.question.name: one for one in last}
    return [found[question.name] for question in asked if question.name in found]


def last_look(looks: Sequence[Look]) -> int:
    """The number of the last planned look that was taken, counted from 1; 0 before the first."""
    return max(
        (look.record["look"] for look in looks if look.record["why"] == "planned"), default=0
    )


def answers(
    samples: Samples, asked: Sequence[Question], settled: Mapping[str, Comparison], look: int
) -> list[Comparison]:
    """The answers at a look to the questions that are still open."""
    looks = looks_of(samples.header)
    found: list[Comparison] = []
    for family in with_aa():
        mine = [question for question in asked if question.family == family]
        before = [settled[question.name] for question in mine if question.name in settled]
        still = sum(one.verdict == "equivalent" for one in before)
        rates = Rates(looks.alpha, looks.share(family, look), looks.deciding_share(family))
        found += [
            replace(one, look=look)
            for one in _family(samples, [q for q in mine if q.name not in settled], still, rates)
        ]
    return found


def _family(
    samples: Samples, mine: Sequence[Question], still: int, rates: Rates
) -> list[Comparison]:
    """Answer the open questions of a family; `still` were called equivalent at an earlier look."""
    paired = [pair_up(samples, question, planned_pairs(samples, question)) for question in mine]
    log_ratios = [
        [] if reasons else [pair.log_ratio for pair in pairs] for pairs, _, reasons in paired
    ]
    p_values = p_of_each(log_ratios, [samples.header["seed"]], rates.deciding)
    tested = [p for p in p_values if p is not None]
    adjusted = iter(holm(tested + [1.0] * still))
    p_holm = [None if p is None else next(adjusted) for p in p_values]
    found = []
    for question, pairs, values, p, p_adjusted in zip(mine, paired, log_ratios, p_values, p_holm):
        if any(pairs):
            answer = _answer(samples, question, pairs, rates, (p, p_adjusted))
            needed = None
            if answer.verdict == "inconclusive":
                needed = blocks_needed(
                    values, answer.margin, rates.interval, len(tested) + still, rates.deciding
                )
            found.append(replace(answer, blocks_needed=needed))
    return found


def _answer(
    samples: Samples,
    question: Question,
    paired: tuple[list[Pair], list[Gap], list[str]],
    rates: Rates,
    p_values: tuple[float | None, float | None],
) -> Comparison:
    pairs, missing, reasons = paired
    metric = METRICS[question.metric]
    # Matrices from before the metric have no margin for it.
    margin = samples.header["matrix"]["margins"].get(metric.family, metric.margin)
    log_ratios = [pair.log_ratio for pair in pairs]
    interval = (
        None if reasons else interval_of(log_ratios, _seed(samples, question), 1 - rates.interval)
    )
    p_holm = p_values[1]
    significant = p_holm is not None and p_holm <= rates.share
    verdict = (
        "invalid" if reasons else verdict_of(interval, margin, metric.less_is_better, significant)
    )
    return Comparison(
        question,
        margin,
        verdict,
        math.exp(float(np.median(log_ratios))) if pairs and not reasons else None,
        interval,
        *p_values,
        None,
        pairs,
        missing,
        reasons,
        [] if reasons else _notes(interval, len(pairs)),
        environment_class=environment_of(samples.header, question.metric),
    )


def _notes(interval: Interval | None, pairs: int) -> list[str]:
    if interval is None:
        return [f"{pairs} pair{'' if pairs == 1 else 's'}: an interval needs {FEWEST_PAIRS}"]
    return [interval.note] if interval.note else []


def _seed(samples: Samples, question: Question) -> list[int]:
    """A seed of its own for each cell, so that adding one changes no other."""
    name = f"{question.compare['name']}/{question.workload['name']}"
    return [samples.header["seed"], zlib.crc32(name.encode())]

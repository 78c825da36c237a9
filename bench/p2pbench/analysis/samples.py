# SPDX-License-Identifier: GPL-2.0
"""From the boots of a journal to pairs of figures. Knows no files and no output.

The boot is the unit: a workload gives one figure per boot and metric, and boots are paired inside
the block they ran in. For pair i with baseline b_i and candidate c_i, d_i = ln(c_i / b_i). What
follows from the d_i stands in estimate.py, significance.py and verdicts.py.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from p2pbench.analysis.questions import Question
from p2pbench.records.evidence import judge, judge_ordinary
from p2pbench.records.kinds import COUNT, FIO, ORDINARY, BootKind
from p2pbench.records.metrics import METRICS
from p2pbench.records.records import (
    BootRecord,
    Header,
    Metrics,
    PlannedBoot,
    Side,
    WorkloadRecord,
    WorkloadResult,
)
from p2pbench.records.virtual_time import doubts as virtual_doubts

PlannedPair = tuple[PlannedBoot, PlannedBoot]


@dataclass(frozen=True)
class Sample:
    """One workload in one planned boot: a result, or the reason why there is none.

    `state` is ok, invalid, failed, or missing (the machine was lost or the boot not run).
    """

    boot: PlannedBoot
    state: str
    reason: str = ""
    metrics: Metrics | None = None
    result: WorkloadResult | None = None


@dataclass(frozen=True)
class Pair:
    """The two samples of a block, both ok; `log_ratio` = ln(candidate / baseline)."""

    block: int
    baseline: Sample
    candidate: Sample
    log_ratio: float


@dataclass(frozen=True)
class Gap:
    """A pair that cannot be formed, and why."""

    block: int
    boot: str
    reason: str


class Samples:
    """Every planned boot's outcome, by workload; boots that were left out on purpose are not."""

    def __init__(
        self,
        header: Header,
        boots: Iterable[BootRecord],
        left_out: Collection[str] = (),
        until: int | None = None,
    ) -> None:
        """The boots of the plan, or those of its first blocks, `until` of them."""
        self.header = header
        self.plan = [
            boot
            for boot in header["plan"]
            if boot["boot"] not in left_out and (until is None or boot["block"] < until)
        ]
        self._of_side: dict[tuple[str, str, str], list[PlannedBoot]] = defaultdict(list)
        for boot in sorted(self.plan, key=lambda boot: (boot["block"], boot["index"])):
            self._of_side[boot["variant"], boot["provider"], boot.get("kind", FIO)].append(boot)
        self._boots = {boot["boot"]: boot for boot in boots}
        self._results = {
            name: {result["name"]: result for result in boot["workloads"]}
            for name, boot in self._boots.items()
        }

    def of(self, planned: PlannedBoot, workload: WorkloadRecord) -> Sample:
        """The sample of this workload in this boot, or the reason why there is none."""
        boot = self._boots.get(planned["boot"])
        if boot is None:
            return Sample(planned, "missing", "not run")
        result = self._results[planned["boot"]].get(workload["name"])
        if result is None:
            return Sample(planned, "missing", _why_absent(boot))
        if result["status"] == "failed":
            return Sample(planned, "failed", _failure(result), None, result)
        doubts = doubts_about(planned["provider"], workload, result)
        if doubts:
            return Sample(planned, "invalid", "; ".join(doubts), None, result)
        return Sample(planned, "ok", "", result["metrics"], result)

    def of_cell(self, side: Side, workload: WorkloadRecord, kind: BootKind = FIO) -> list[Sample]:
        """The samples of a cell, one per planned boot that runs it, in the order of the blocks."""
        return [
            self.of(boot, workload)
            for boot in self.boots_of(side, kind)
            if _is_run_in(boot, workload)
        ]

    def boots_of(self, side: Side, kind: BootKind = FIO) -> list[PlannedBoot]:
        """The planned boots of a side, in the order of the blocks."""
        return self._of_side.get((side["variant"], side["provider"], kind), [])


def doubts_about(provider: str, workload: WorkloadRecord, result: WorkloadResult) -> list[str]:
    """Why a result cannot count: what the run found, else what its own counters say against it.

    The run has judged the evidence already. Its word is held against the counters once more, so
    that no report rests on a status alone.
    """
    if result["status"] == "invalid" or result["reasons"]:
        return result["reasons"] or ["called invalid by the run, which gives no reason"]
    metrics, evidence = result["metrics"], cast("dict[str, Any] | None", result["evidence"])
    provider = workload.get("device") or provider
    counted = workload.get("ios", 0) * workload["bs"]
    if workload["kind"] == ORDINARY:
        return judge_ordinary(evidence, counted) + _doubts_about_time(workload, result)
    if workload["kind"] == COUNT:
        return judge(provider, evidence, counted) + _doubts_about_time(workload, result)
    if workload["kind"] == FIO and not (metrics and metrics["bytes_per_s"]):
        return ["no data was moved"]
    return judge(provider, evidence, metrics["bytes"] if metrics else 0)


def _doubts_about_time(workload: WorkloadRecord, result: WorkloadResult) -> list[str]:
    """Why virtual time, where a count was made in it, did not go by the guest's instructions."""
    virtual = result.get("virtual")
    if not virtual:
        return []
    counts: Mapping[str, Any] = result.get("counts") or dict[str, Any]()
    return virtual_doubts(virtual, counts, workload.get("ios", 0), workload["bs"])


def pair_up(
    samples: Samples, question: Question, planned: Sequence[PlannedPair]
) -> tuple[list[Pair], list[Gap], list[str]]:
    """The pairs of a question, the gaps, and the reasons why samples are invalid."""
    pairs: list[Pair] = []
    missing: list[Gap] = []
    reasons: list[str] = []
    for boots in planned:
        both = [_measured(samples.of(boot, question.workload), question.metric) for boot in boots]
        absent = [s for s in both if s.state in ("failed", "missing")]
        reasons += [f"{s.boot['boot']}: {s.reason}" for s in both if s.state == "invalid"]
        missing += [Gap(s.boot["block"], s.boot["boot"], s.reason) for s in absent]
        if not absent and all(s.state == "ok" for s in both):
            baseline, candidate = both
            ratio = value_of(candidate, question.metric) / value_of(baseline, question.metric)
            pairs.append(Pair(baseline.boot["block"], baseline, candidate, math.log(ratio)))
    return pairs, missing, reasons


def planned_pairs(samples: Samples, question: Question) -> list[PlannedPair]:
    """The boots of each block that answer a question, baseline with candidate.

    The two sides of an A/A question are the same cell: its boot, and the second one.
    """
    sides = []
    for cell, second in (
        (question.compare["baseline"], False),
        (question.compare["candidate"], question.second),
    ):
        mine = defaultdict(list)
        for boot in samples.boots_of(cell, METRICS[question.metric].kind):
            if boot.get("aa", False) == second and _is_run_in(boot, question.workload):
                mine[boot["block"]].append(boot)
        sides.append(mine)
    baseline, candidate = sides
    return [pair for block, left in baseline.items() for pair in zip(left, candidate[block])]


def _is_run_in(boot: PlannedBoot, workload: WorkloadRecord) -> bool:
    """Whether the block of a boot runs a workload; some are of the first blocks alone."""
    return not workload.get("blocks") or boot["block"] < workload["blocks"]


def value_of(sample: Sample, metric: str) -> float:
    """The figure of a sample that has one: bytes/s, instructions per I/O, or nanoseconds."""
    value = _figure(sample, metric)
    assert value is not None
    return value


def _figure(sample: Sample, metric: str) -> float | None:
    """The same, or None where the boot has none of this metric."""
    return METRICS[metric].value(sample.result) if sample.result else None


def _measured(sample: Sample, metric: str) -> Sample:
    """The sample, or a missing one that says why it has no figure of this metric."""
    if sample.state != "ok" or _figure(sample, metric):
        return sample
    counts = sample.result.get("counts") if sample.result else None
    return replace(
        sample,
        state="missing",
        reason=counts and counts["reason"] or f"no {METRICS[metric].shown} was measured",
    )


def _why_absent(boot: BootRecord) -> str:
    if boot["lost"]:
        return f"machine lost at {boot['lost']['stage']}"
    if boot["error"]:
        return f"boot failed at {boot['error']['step']}"
    return f"boot {boot['status']}, but the workload was not run"


def _failure(result: WorkloadResult) -> str:
    error = result["error"]
    if error is None:
        return "failed, and gives no error"
    return f"{error['step']}: expected {error['expected']}, got {error['got']}"

"""From the boots of a journal to ratios, intervals and verdicts. Knows no files and no output.

The boot is the unit: a workload gives one figure per boot, and boots are paired inside the
block they ran in. For pair i with baseline b_i and candidate c_i, d_i = ln(c_i / b_i).

    ratio     exp(median d)
    interval  95 %, bias-corrected and accelerated bootstrap of median d: B. Efron, "Better
              bootstrap confidence intervals", JASA 82 (1987), as scipy.stats.bootstrap has it,
              from a seeded generator
    few pairs The range of n pairs covers their true median with probability 1 - 2^(1-n)
              (H. A. David, H. N. Nagaraja, "Order Statistics", 3rd ed., section 7.1), so under 6
              pairs no resampling of them reaches 95 %. There the interval is widened to hold
              Student's t interval, mean d +- t(0.975, n-1) s / sqrt(n), which takes ln of
              the ratios for normally distributed. Under 3 pairs: no interval
    verdict   with the practical margin m: worse below 1/(1+m), better above 1+m, equivalent
              inside, else inconclusive
    blocks    that would decide: the n for which 1.96 sqrt(pi/2) s / sqrt(n) is the distance of
              |median d| from ln(1+m); sqrt(pi/2) s / sqrt(n) is the standard error of the median
              of a normal sample (R. J. Serfling, "Approximation Theorems", 1980, section 2.3)
"""

from __future__ import annotations

import math
import warnings
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import scipy.stats  # type: ignore[import]

from .evidence import judge
from .journal import Boot, Cell, Compare, Header, Metrics, PlannedBoot, Workload, WorkloadResult

CONFIDENCE = 0.95
RESAMPLES = 9999
FEWEST_PAIRS = 3
FEWEST_FOR_BOOTSTRAP = 6
MOST_BLOCKS = 10_000

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


@dataclass(frozen=True)
class Interval:
    """Bounds of ln(ratio), and how they were found."""

    low: float
    high: float
    method: str
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """One workload of one compare. `ratio` is None when invalid or when there is no pair."""

    compare: Compare
    workload: Workload
    margin: float
    verdict: str
    ratio: float | None
    interval: Interval | None
    blocks_needed: int | None
    latency: dict[str, float | None]
    pairs: list[Pair]
    missing: list[Gap]
    reasons: list[str]
    notes: list[str] = field(default_factory=list)


class Samples:
    """Every planned boot's outcome, by workload."""

    def __init__(self, header: Header, boots: Iterable[Boot]) -> None:
        self.header = header
        self._boots = {boot["boot"]: boot for boot in boots}
        self._results = {
            name: {result["name"]: result for result in boot["workloads"]}
            for name, boot in self._boots.items()
        }

    def of(self, planned: PlannedBoot, workload: Workload) -> Sample:
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

    def of_cell(self, cell: Cell, workload: Workload) -> list[Sample]:
        """The samples of a cell, one per planned boot, in the order of the blocks."""
        return [self.of(boot, workload) for boot in self.boots_of(cell)]

    def boots_of(self, cell: Cell) -> list[PlannedBoot]:
        """The planned boots of a cell, in the order of the blocks."""
        mine = [
            boot
            for boot in self.header["plan"]
            if (boot["variant"], boot["provider"]) == (cell["variant"], cell["provider"])
        ]
        return sorted(mine, key=lambda boot: (boot["block"], boot["index"]))


def doubts_about(provider: str, workload: Workload, result: WorkloadResult) -> list[str]:
    """Why a result cannot count: what the run found, else what its own counters say against it.

    The run has judged the evidence already. Its word is held against the counters once more, so
    that no report rests on a status alone.
    """
    if result["status"] == "invalid" or result["reasons"]:
        return result["reasons"] or ["called invalid by the run, which gives no reason"]
    metrics, evidence = result["metrics"], cast("dict[str, Any] | None", result["evidence"])
    if workload["kind"] == "fio" and not (metrics and metrics["bytes_per_s"]):
        return ["no data was moved"]
    return judge(provider, evidence, metrics["bytes"] if metrics else 0)


def compare_all(header: Header, boots: Iterable[Boot]) -> list[Comparison]:
    """Every compare of the matrix, with every timed workload that the plan runs on both sides."""
    samples = Samples(header, boots)
    comparisons: list[Comparison] = []
    for compare in header["matrix"]["compare"]:
        planned = _planned_pairs(samples, compare)
        sides = {compare["baseline"]["provider"], compare["candidate"]["provider"]}
        comparisons += [
            _compare(samples, compare, workload, planned)
            for workload in header["matrix"]["workloads"]
            if planned and is_timed(workload) and sides <= set(workload["providers"])
        ]
    return comparisons


def is_timed(workload: Workload) -> bool:
    """Whether its throughput means something: verify and pattern cells prove data instead."""
    return workload["kind"] == "fio" and not workload["verify"]


def interval_of(log_ratios: Sequence[float], seed: Sequence[int]) -> Interval | None:
    """The 95 % interval of the median of `log_ratios`; None under 3 of them (see above)."""
    if len(log_ratios) < FEWEST_PAIRS:
        return None
    interval = _bootstrap(log_ratios, seed)
    if len(log_ratios) >= FEWEST_FOR_BOOTSTRAP:
        return interval
    low, high = _student(log_ratios)
    note = (
        f"{len(log_ratios)} pairs are too few for a bootstrap interval of 95 %, "
        "so it is widened to Student's t"
    )
    return Interval(
        min(interval.low, low),
        max(interval.high, high),
        f"{interval.method}+t",
        "; ".join(filter(None, (interval.note, note))),
    )


def verdict_of(interval: Interval | None, margin: float) -> str:
    """better, worse, equivalent or inconclusive, of a metric of which more is better.

    The margin is symmetric in ln(ratio), so that exchanging the two sides turns the verdict round.
    """
    if interval is None:
        return "inconclusive"
    edge = math.log1p(margin)
    if interval.low > edge:
        return "better"
    if interval.high < -edge:
        return "worse"
    if -edge <= interval.low and interval.high <= edge:
        return "equivalent"
    return "inconclusive"


def blocks_needed(log_ratios: Sequence[float], margin: float) -> int | None:
    """How many blocks would decide (formula above), at most MOST_BLOCKS; None under 3 pairs."""
    if len(log_ratios) < FEWEST_PAIRS:
        return None
    distance = abs(abs(float(np.median(log_ratios))) - math.log1p(margin))
    spread = 1.96 * math.sqrt(math.pi / 2) * float(np.std(log_ratios, ddof=1))
    if spread >= distance * math.sqrt(MOST_BLOCKS):
        return MOST_BLOCKS
    return max(math.ceil((spread / distance) ** 2), len(log_ratios) + 1, FEWEST_FOR_BOOTSTRAP)


def _compare(
    samples: Samples, compare: Compare, workload: Workload, planned: Sequence[PlannedPair]
) -> Comparison:
    margin = samples.header["matrix"]["margins"]["throughput"]
    pairs, missing, reasons = _pair(samples, workload, planned)
    log_ratios = [pair.log_ratio for pair in pairs]
    interval = None if reasons else interval_of(log_ratios, _seed(samples, compare, workload))
    verdict = "invalid" if reasons else verdict_of(interval, margin)
    notes = [interval.note] if interval and interval.note else []
    if not reasons and interval is None:
        notes.append(f"{_number(len(pairs), 'pair')}: an interval needs {FEWEST_PAIRS}")
    return Comparison(
        compare,
        workload,
        margin,
        verdict,
        None if reasons else _ratio(log_ratios),
        interval,
        blocks_needed(log_ratios, margin) if verdict == "inconclusive" else None,
        {name: _latency(pairs, f"lat_{name}_ns") for name in ("p50", "p99") if not reasons},
        pairs,
        missing,
        reasons,
        notes,
    )


def _pair(
    samples: Samples, workload: Workload, planned: Sequence[PlannedPair]
) -> tuple[list[Pair], list[Gap], list[str]]:
    """The pairs, the gaps, and the reasons why samples are invalid."""
    pairs: list[Pair] = []
    missing: list[Gap] = []
    reasons: list[str] = []
    for boots in planned:
        both = [samples.of(boot, workload) for boot in boots]
        absent = [s for s in both if s.state in ("failed", "missing")]
        reasons += [f"{s.boot['boot']}: {s.reason}" for s in both if s.state == "invalid"]
        missing += [Gap(s.boot["block"], s.boot["boot"], s.reason) for s in absent]
        if not absent and all(s.state == "ok" for s in both):
            pairs.append(_make_pair(*both))
    return pairs, missing, reasons


def _planned_pairs(samples: Samples, compare: Compare) -> list[PlannedPair]:
    """The boots of each block, baseline with candidate in the order they ran.

    A cell against itself pairs its first boot of the block with its second one.
    """
    baseline, candidate = defaultdict(list), defaultdict(list)
    for boot in samples.boots_of(compare["baseline"]):
        baseline[boot["block"]].append(boot)
    for boot in samples.boots_of(compare["candidate"]):
        candidate[boot["block"]].append(boot)
    pairs: list[PlannedPair] = []
    for block, left in baseline.items():
        right = candidate[block]
        if compare["baseline"] == compare["candidate"]:
            left, right = left[0::2], left[1::2]
        pairs += zip(left, right)
    return pairs


def _make_pair(baseline: Sample, candidate: Sample) -> Pair:
    assert baseline.metrics and candidate.metrics
    ratio = candidate.metrics["bytes_per_s"] / baseline.metrics["bytes_per_s"]
    return Pair(baseline.boot["block"], baseline, candidate, math.log(ratio))


def _bootstrap(log_ratios: Sequence[float], seed: Sequence[int]) -> Interval:
    """BCa; the percentile interval where BCa has no value (data that hardly differ)."""
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of degenerate data: told by the nan, noted below
            bounds = scipy.stats.bootstrap(
                (np.asarray(log_ratios),),
                np.median,
                confidence_level=CONFIDENCE,
                n_resamples=RESAMPLES,
                method=method,
                vectorized=True,
                axis=-1,
                random_state=np.random.default_rng(list(seed)),
            ).confidence_interval
        low, high = float(bounds.low), float(bounds.high)
        if math.isfinite(low) and math.isfinite(high):
            break
    note = "" if method == "BCa" else "BCa has no value for these data; percentile interval"
    return Interval(low, high, method, note)


def _student(log_ratios: Sequence[float]) -> tuple[float, float]:
    n = len(log_ratios)
    quantile = float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, n - 1))
    half = quantile * float(np.std(log_ratios, ddof=1)) / math.sqrt(n)
    mean = float(np.mean(log_ratios))
    return mean - half, mean + half


def _seed(samples: Samples, compare: Compare, workload: Workload) -> list[int]:
    """A seed of its own for each cell, so that adding one changes no other."""
    name = f"{compare['name']}/{workload['name']}"
    return [samples.header["seed"], zlib.crc32(name.encode())]


def _ratio(log_ratios: Sequence[float]) -> float | None:
    return math.exp(float(np.median(log_ratios))) if log_ratios else None


def _latency(pairs: Sequence[Pair], key: str) -> float | None:
    """The median over the pairs of candidate over baseline; a plain figure without a verdict."""
    ratios: list[float] = []
    for pair in pairs:
        base, new = (cast("dict[str, float]", sample.metrics)[key]
                     for sample in (pair.baseline, pair.candidate))
        if base > 0:
            ratios.append(new / base)
    return float(np.median(ratios)) if ratios else None


def _why_absent(boot: Boot) -> str:
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


def _number(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")

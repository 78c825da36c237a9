# SPDX-License-Identifier: GPL-2.0
"""What is measured: a row a metric, all that anybody has to know of it.

    throughput     bytes a second by the clock on the wall, from fio
    instructions   of the I/O path, per I/O
    virtual        throughput in virtual time: bytes a second by a guest's clock that counts
                   instructions (virtual_time.py), for a fixed number of I/Os
    virtual_p50,   latency percentiles of the same I/Os by the same clock
    _p99, _p999

A family is what Holm corrects together: the cells of one metric, latency's percentiles as one. The
A/A cells of each are a family of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from p2pbench.records.kinds import COUNT, FIO, BootKind

THROUGHPUT = "throughput"
INSTRUCTIONS = "instructions"
VIRTUAL = "virtual"
LATENCY = "latency"
AA = "aa-"

# Which questions a metric answers (analysis/questions.py): those of the matrix's [[compare]]; of
# each provider, where a guest keeps virtual time; of each path that is counted.
BY_COMPARE, BY_PROVIDER, BY_PATH = "compare", "provider", "path"

# A workload in one boot, as the journal has it.
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Metric:
    """A metric; shown is its name in words, margin a fraction, kind that of its boots.

    value() is its figure in a workload's result, None where the boot has none; figure is what the
    pairs of a report call it. A percentile needs so many I/Os (at a depth, batches of so many) to
    have a verdict. family_shown is what Holm corrects together, if that is more than this metric.
    """

    name: str
    shown: str
    less_is_better: bool
    kind: BootKind
    asked: str
    margin: float
    value: Callable[[Result], float | None]
    family: str
    family_shown: str = ""
    figure: str = "figure"
    percentile: str = ""
    fewest: int = 0

    @property
    def direction(self) -> str:
        """Which way of it is good."""
        return "less is better" if self.less_is_better else "more is better"


def _bytes_per_s(result: Result) -> float | None:
    metrics = result.get("metrics")
    return float(metrics["bytes_per_s"]) if metrics else None


def _per_io(result: Result) -> float | None:
    per_io: float | None = (result.get("counts") or {}).get("per_io")
    return per_io


def _virtual_bytes_per_s(result: Result) -> float | None:
    virtual = result.get("virtual")
    return float(virtual["bytes"] / virtual["duration_ns"] * 1e9) if virtual else None


def _latency(percentile: str, fewest: int) -> Metric:
    """Return the row of a percentile of latency in virtual time: "p99.9", that the agent gives."""
    key = percentile.replace(".", "")

    def value(result: Result) -> float | None:
        virtual = result.get("virtual")
        ns: float | None = virtual["latency_ns"][key] if virtual else None
        return ns

    return Metric(
        name=f"{VIRTUAL}_{key}",
        shown=f"{percentile} latency in virtual time",
        less_is_better=True,
        kind=COUNT,
        asked=BY_PROVIDER,
        margin=0.02,
        value=value,
        family=LATENCY,
        family_shown="latency in virtual time",
        percentile=percentile,
        fewest=fewest,
    )


# First what decides most.
_ROWS = (
    Metric(
        name=VIRTUAL,
        shown="throughput in virtual time",
        less_is_better=False,
        kind=COUNT,
        asked=BY_PROVIDER,
        margin=0.005,
        value=_virtual_bytes_per_s,
        family=VIRTUAL,
    ),
    # Five I/Os lie beyond each, so that one which met a timer's tick and more does not decide.
    _latency("p50", fewest=10),
    _latency("p99", fewest=500),
    _latency("p99.9", fewest=5000),
    Metric(
        name=THROUGHPUT,
        shown="throughput",
        less_is_better=False,
        kind=FIO,
        asked=BY_COMPARE,
        margin=0.02,
        value=_bytes_per_s,
        figure="bytes_per_s",
        family=THROUGHPUT,
        family_shown="wall-clock throughput",
    ),
    Metric(
        name=INSTRUCTIONS,
        shown="instructions per I/O",
        less_is_better=True,
        kind=COUNT,
        asked=BY_PATH,
        margin=0.005,
        value=_per_io,
        figure="per_io",
        family=INSTRUCTIONS,
    ),
)
METRICS = {metric.name: metric for metric in _ROWS}
# What Holm corrects together, in words; first what decides most.
FAMILIES = {metric.family: metric.family_shown or metric.shown for metric in _ROWS}
# A matrix has one margin for each of them.
MARGINS = {metric.family: metric.margin for metric in _ROWS}


def with_aa() -> tuple[str, ...]:
    """Return the families, and those of the A/A cells."""
    return (*FAMILIES, *(AA + family for family in FAMILIES))


def asked(how: str) -> list[Metric]:
    """Return the metrics that are asked in this way: BY_COMPARE, BY_PROVIDER or BY_PATH."""
    return [metric for metric in METRICS.values() if metric.asked == how]

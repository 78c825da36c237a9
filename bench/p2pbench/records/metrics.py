"""What is measured: each metric's name, which way of it is good, its boots, family and margin.

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

from dataclasses import dataclass

THROUGHPUT = "throughput"
INSTRUCTIONS = "instructions"
VIRTUAL = "virtual"
LATENCY = "latency"
# The percentiles that the agent gives, with the fewest I/Os (at a depth, batches of so many) after
# which they have a verdict: five lie beyond each, so that one I/O which met a timer's tick and more
# does not decide.
PERCENTILES = {"p50": 10, "p99": 500, "p999": 5000}
AA = "aa-"


@dataclass(frozen=True)
class Metric:
    """A metric; kind is that of its boots, margin a fraction, shown the figure's name in words."""

    shown: str
    less_is_better: bool
    kind: str
    family: str
    margin: float

    @property
    def direction(self) -> str:
        """Which way of it is good."""
        return "less is better" if self.less_is_better else "more is better"


METRICS = {
    VIRTUAL: Metric("throughput in virtual time", False, "count", VIRTUAL, 0.005),
    **{f"virtual_{name}": Metric(f"{shown} latency in virtual time", True, "count", LATENCY, 0.02)
       for name, shown in (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9"))},
    THROUGHPUT: Metric("throughput", False, "fio", THROUGHPUT, 0.02),
    INSTRUCTIONS: Metric("instructions per I/O", True, "count", INSTRUCTIONS, 0.005),
}
# What Holm corrects together, in words; first what decides most.
FAMILIES = {VIRTUAL: "throughput in virtual time", LATENCY: "latency in virtual time",
            THROUGHPUT: "wall-clock throughput", INSTRUCTIONS: "instructions per I/O"}
# The same, and those of the A/A cells.
WITH_AA = (*FAMILIES, *(AA + family for family in FAMILIES))
# A matrix has one margin for each of them.
MARGINS = {metric.family: metric.margin for metric in METRICS.values()}


def figure_of(metric: str) -> str:
    """Return what a boot's figure of a metric is called in the pairs of a report."""
    return {THROUGHPUT: "bytes_per_s", INSTRUCTIONS: "per_io"}.get(metric, "figure")


def percentile_of(metric: str) -> str:
    """Return the percentile that a metric is ("p99"), or "" for one that is none."""
    name = metric.removeprefix(f"{VIRTUAL}_")
    return name if name in PERCENTILES else ""

# SPDX-License-Identifier: GPL-2.0
"""What a run asks: each compare, workload and metric is a question with a verdict of its own.

The matrix asks its [[compare]] of throughput. What it counts ([[counts]], [[ordinary]]) and what
it runs against itself (aa) asks by being there:

    virtual-<provider>    throughput in virtual time of the P2P path and of host memory: each
                          further variant against the first that is listed
    latency-<provider>    percentiles of the same I/Os
    instructions          of the same paths
    ordinary-<variant>    of I/O that has nothing to do with P2P, in the same way
    aa-...                a cell against itself; a family of its own, since an answer other than
                          "no difference" says something about the instrument and not the kernels
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from p2pbench.records.kinds import COUNT, FIO, ORDINARY, PROVIDERS, has_queues_in_cmb, plain
from p2pbench.records.metrics import (
    AA,
    BY_COMPARE,
    BY_PATH,
    BY_PROVIDER,
    FAMILIES,
    METRICS,
    VIRTUAL,
    Metric,
    asked,
)
from p2pbench.records.records import CompareRecord, Header, PlannedBoot, Side, WorkloadRecord
from p2pbench.records.virtual_time import least_ios

# Kinds of workload that are counted: through the fabric, and of an ordinary disk.
COUNTED = (COUNT, ORDINARY)


@dataclass(frozen=True)
class Question:
    """One workload of one compare by one metric; second: a cell against its second boot."""

    compare: CompareRecord
    workload: WorkloadRecord
    metric: str
    second: bool = False

    @property
    def name(self) -> str:
        """What the journal calls it."""
        return f"{self.compare['name']}/{self.workload['name']}/{self.metric}"

    @property
    def family(self) -> str:
        """What Holm corrects together."""
        return (AA if self.second else "") + METRICS[self.metric].family


def questions(header: Header) -> list[Question]:
    """Every question that the plan of a run can answer."""
    return (
        _in_virtual_time(header)
        + _of_compares(header)
        + _of_paths(header)
        + _against_itself(header)
    )


def is_timed(workload: WorkloadRecord) -> bool:
    """Whether its throughput means something: verify and pattern cells prove data instead."""
    return workload["kind"] == FIO and not workload["verify"]


def has_virtual_time(header: Header) -> bool:
    """Whether the boots that count keep virtual time; one that is only planned is to."""
    if "provenance" not in header:
        return True
    return bool(header["provenance"].get("instrument", {}).get("icount"))


def environment_of(header: Header, metric: str) -> str:
    """The class of the machine that a metric's figures are of: virtual time makes another one."""
    counted = METRICS[metric].kind == COUNT
    return header["environment_class"] + ("-icount" if counted and has_virtual_time(header) else "")


def virtual_metrics(workload: WorkloadRecord) -> list[str]:
    """The metrics in virtual time that a workload has I/Os enough for."""
    if workload["kind"] != COUNT or workload.get("ios", 0) < least_ios(workload["bs"]):
        return []
    # The I/Os of a batch end together, so that they are one sample of a tail.
    batches = workload["ios"] // workload["iodepth"]
    return [metric.name for metric in asked(BY_PROVIDER) if batches >= metric.fewest]


def compares_of(found: Sequence[Question], header: Header) -> list[CompareRecord]:
    """The compares of these questions: virtual time first, as it decides most; then those of the
    matrix, even without any question; then the rest.
    """
    timed = [
        question.compare for question in found if METRICS[question.metric].asked == BY_PROVIDER
    ]
    return _unique(
        [*timed, *header["matrix"]["compare"], *(question.compare for question in found)]
    )


def _of_compares(header: Header) -> list[Question]:
    """The matrix's own questions, of what the clock on the wall times."""
    planned = _planned(header, FIO, second=False)
    return [
        Question(compare, workload, metric.name)
        for compare in header["matrix"]["compare"]
        if _key(compare["baseline"]) in planned and _key(compare["candidate"]) in planned
        for workload in header["matrix"]["workloads"]
        if is_timed(workload)
        and {compare["baseline"]["provider"], compare["candidate"]["provider"]}
        <= set(workload["providers"])
        for metric in asked(BY_COMPARE)
    ]


def _in_virtual_time(header: Header) -> list[Question]:
    """Throughput and latency of what is counted; grouped by metric, provider and candidate."""
    if not has_virtual_time(header):
        return []
    listed = [
        question
        for workload in header["matrix"]["workloads"]
        for metric in virtual_metrics(workload)
        for question in _of_provider(header, workload, metric)
    ]
    places = [question.compare["name"] for question in listed]
    return sorted(
        listed,
        key=lambda question: (
            METRICS[question.metric].family != VIRTUAL,
            places.index(question.compare["name"]),
        ),
    )


def _of_provider(header: Header, workload: WorkloadRecord, metric: str) -> Iterator[Question]:
    sides = counted_sides(header, workload)
    for candidate in sides[1:]:
        family = METRICS[metric].family
        device = workload.get("device", "")
        memory, queues = plain(device), has_queues_in_cmb(device)
        more = f"-{candidate['variant']}" if len(sides) > 2 else ""
        compare = CompareRecord(
            name=f"{family}-{memory}{'-sqes' if queues else ''}{more}",
            title=f"{FAMILIES[family]}, {candidate['variant']} against "
            f"{sides[0]['variant']}, {PROVIDERS[memory].memory}"
            f"{', queues in the CMB' if queues else ''}",
            baseline=sides[0],
            candidate=candidate,
        )
        yield Question(compare, workload, metric)


def _of_paths(header: Header) -> list[Question]:
    """The first variant that runs a counted workload against each of the others."""
    listed: list[Question] = []
    for kind in COUNTED:
        for workload in header["matrix"]["workloads"]:
            if workload["kind"] == kind:
                for metric in asked(BY_PATH):
                    listed += _of_path(header, workload, metric)
    return sorted(listed, key=lambda question: question.compare["name"])


def _of_path(header: Header, workload: WorkloadRecord, metric: Metric) -> Iterator[Question]:
    name, what = metric.name, f"{metric.shown} of the fabric's path"
    if workload["kind"] == ORDINARY:
        name, what = "ordinary", metric.shown.replace("per I/O", "per ordinary I/O")
    sides = counted_sides(header, workload)
    for candidate in sides[1:]:
        only = len(sides) == 2 and workload["kind"] == COUNT
        where = candidate["provider"].removeprefix(COUNT).replace("+", "-")
        compare = CompareRecord(
            name=name + where + ("" if only else f"-{candidate['variant']}"),
            title=f"{what}, {candidate['variant']} against {sides[0]['variant']}",
            baseline=sides[0],
            candidate=candidate,
        )
        yield Question(compare, workload, metric.name)


def _against_itself(header: Header) -> list[Question]:
    listed: list[Question] = []
    for variant, provider in _planned(header, FIO, second=True):
        for metric in asked(BY_COMPARE):
            compare = _itself(Side(variant=variant, provider=provider), "aa", metric.shown)
            listed += [
                Question(compare, workload, metric.name, second=True)
                for workload in header["matrix"]["workloads"]
                if is_timed(workload) and provider in workload["providers"]
            ]
    for variant, provider in _planned(header, COUNT, second=True):
        listed += _counted_twice(header, Side(variant=variant, provider=provider))
    return listed


def _counted_twice(header: Header, side: Side) -> Iterator[Question]:
    """What is counted in a side, and how long it takes in virtual time, against itself."""
    workloads = [
        workload
        for workload in header["matrix"]["workloads"]
        if workload["kind"] in COUNTED and side in counted_sides(header, workload)
    ]
    for metric in asked(BY_PATH):
        compare = _itself(side, f"{AA}{metric.family}", FAMILIES[metric.family])
        yield from (Question(compare, workload, metric.name, second=True) for workload in workloads)
    if not has_virtual_time(header):
        return
    for family in dict.fromkeys(metric.family for metric in asked(BY_PROVIDER)):
        compare = _itself(side, f"{AA}{family}", FAMILIES[family])
        yield from (
            Question(compare, workload, name, second=True)
            for workload in workloads
            for name in virtual_metrics(workload)
            if METRICS[name].family == family
        )


def _itself(side: Side, name: str, what: str) -> CompareRecord:
    both = f"{side['variant']}/{side['provider']}"
    return CompareRecord(
        name=f"{name}-{side['variant']}-{side['provider']}",
        title=f"A/A: {what} of {both} against itself",
        baseline=side,
        candidate=side,
    )


def counted_sides(header: Header, workload: WorkloadRecord) -> list[Side]:
    """The sides that count a workload, in the order in which the matrix lists their variants."""
    planned = _planned(header, COUNT, second=False)
    return [
        Side(variant=variant, provider=provider)
        for name in workload.get("variants", [])
        for variant, provider in planned
        if name == variant and provider in workload["providers"]
    ]


def _planned(header: Header, kind: str, second: bool) -> dict[tuple[str, str], PlannedBoot]:
    """The sides that the plan boots with this kind, the second time in a block or the first."""
    return {
        (boot["variant"], boot["provider"]): boot
        for boot in header["plan"]
        if boot.get("kind", FIO) == kind and boot.get("aa", False) == second
    }


def _key(side: Side) -> tuple[str, str]:
    return side["variant"], side["provider"]


def _unique(compares: Iterable[CompareRecord]) -> list[CompareRecord]:
    found: list[CompareRecord] = []
    for compare in compares:
        if compare not in found:
            found.append(compare)
    return found

# SPDX-License-Identifier: GPL-2.0
"""The lines of a journal, as their readers and mypy know them; journal.schema.json checks the same.

A **side** is a variant with a provider, a **cell** a workload on a side, a **comparison** a cell of
one side against that of another. What may be missing is missing in older journals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

from p2pbench.records.counts import Row
from p2pbench.records.kinds import BootKind, WorkloadKind


class Side(TypedDict):
    """A kernel and a provider: what one boot measures."""

    variant: str
    provider: str


class WorkloadRecord(TypedDict):
    """One fio job or pattern check; bs in bytes, `providers` are those that run it."""

    name: str
    rw: str
    bs: int
    iodepth: int
    numjobs: int
    verify: str
    kind: WorkloadKind
    providers: list[str]
    device: NotRequired[str]
    scheduler: NotRequired[str]
    ios: NotRequired[int]
    runtime_s: NotRequired[float]
    size: NotRequired[int]
    variants: NotRequired[list[str]]
    blocks: NotRequired[int]


class CompareRecord(TypedDict):
    """A question of the matrix: the candidate against the baseline."""

    name: str
    title: str
    baseline: Side
    candidate: Side


class MatrixRecord(TypedDict):
    """The matrix as it was when the run began; margins as fractions (0.02 is 2 %)."""

    name: str
    file: str
    blocks: int
    boots: list[Side]
    workloads: list[WorkloadRecord]
    compare: list[CompareRecord]
    margins: dict[str, float]
    testbed: NotRequired[str]
    flavour: NotRequired[str]
    first_blocks: NotRequired[dict[str, int]]
    most_blocks: NotRequired[int]
    rounds: NotRequired[int]
    virtual_time: NotRequired[str]
    aa: NotRequired[list[Side]]
    memory: NotRequired[list[dict[str, Any]]]
    counts: NotRequired[list[dict[str, Any]]]
    ordinary: NotRequired[list[dict[str, Any]]]
    variants: NotRequired[dict[str, dict[str, str]]]


class PlannedBoot(TypedDict):
    """A boot of the plan; `index` is its place in the randomised order.

    `aa` marks the second boot of a side in its block, `bar` is the BAR's size where the boot only
    registers one.
    """

    boot: str
    index: int
    block: int
    variant: str
    provider: str
    kind: NotRequired[BootKind]
    bar: NotRequired[int]
    aa: NotRequired[bool]


class Header(TypedDict):
    """The first line.

    `selection` are pytest's options that chose among the matrix's boots, `kernels` the keys of the
    variants' kernels, built or not.
    """

    type: str
    schema: str
    run: str
    created: str
    seed: int
    environment_class: str
    matrix: MatrixRecord
    plan: list[PlannedBoot]
    kernels: NotRequired[dict[str, str]]
    provenance: dict[str, Any]
    static: NotRequired[dict[str, Any] | None]
    selection: NotRequired[list[str]]
    stopping: NotRequired[StoppingRecord]


class StoppingRecord(TypedDict):
    """When a run looks at its data, and what each look may spend (analysis/schedule.py)."""

    budget_s: float | None
    looks: list[int]
    alpha_per_look: float
    shares: NotRequired[dict[str, list[float]]]


class Skipped(TypedDict):
    """A boot that a look leaves out, and why."""

    boot: str
    reason: str


class LookRecord(TypedDict):
    """A look of a run with a budget at what there is (stopping.py).

    `verdicts` are those of the questions that were open, by name; `why` is "planned", or "budget"
    for the line that ends a run.
    """

    type: str
    look: int
    blocks: int
    elapsed_s: float
    why: str
    verdicts: dict[str, str]
    skipped: list[Skipped]


class StepError(TypedDict):
    """What a step expected and what came."""

    step: str
    expected: str
    got: str


class LostRecord(TypedDict):
    """A machine that went away: at which stage, why, and its last console lines."""

    stage: str
    reason: str
    console: list[str]


class Metrics(TypedDict):
    """fio's figures of one workload in one boot; latencies in nanoseconds, runtime in seconds.

    What may be missing is missing in older journals.
    """

    bytes_per_s: float
    iops: float
    lat_mean_ns: float
    lat_p50_ns: float
    lat_p99_ns: float
    lat_max_ns: NotRequired[float]
    lat_usual_ns: NotRequired[float]
    runtime_s: NotRequired[float]
    ios: int
    bytes: int


class P2pCounters(TypedDict):
    """What nvmet counted: requests and bytes through peer memory, fallbacks to host memory."""

    requests: int
    bytes: int
    fallbacks: int


class DeviceCounters(TypedDict):
    """What the block layer counted on the fabric device."""

    reads: int
    read_bytes: int
    writes: int
    write_bytes: int


class PoolSamples(TypedDict):
    """Free bytes of the peer memory pool before, at the lowest, and after the workload."""

    size: int
    before: int
    low: int
    after: int
    samples: int


class Evidence(TypedDict):
    """What proves which path the data took."""

    p2p: P2pCounters | None
    device: DeviceCounters
    pool: PoolSamples | None


class Counts(TypedDict):
    """Instructions per I/O of the path, by subsystem and by function; `reason`: why not.

    `total` is all that ran between the marks, user space too; of journals from before it, absent.
    """

    instrument: str
    ios: int
    total: NotRequired[int]
    per_io: float | None
    subsystems: dict[str, float]
    functions: Sequence[Row]
    reason: str


class Virtual(TypedDict):
    """A count in virtual time: all of it, and each I/O; a percentile of too few I/Os is None."""

    duration_ns: int
    bytes: int
    latency_ns: dict[str, int | None]


class WorkloadResult(TypedDict):
    """One workload in one boot; `reasons` say why an invalid one is invalid."""

    name: str
    status: str
    error: StepError | None
    reasons: list[str]
    metrics: Metrics | None
    evidence: Evidence | None
    counts: NotRequired[Counts | None]
    virtual: NotRequired[Virtual | None]


class BootRecord(PlannedBoot):
    """A finished boot; durations in seconds.

    `took_s` is what it took of the run's time, of which boots that ran beside each other have a
    part each; absent where it is the whole duration.
    """

    type: str
    started: str
    duration_s: float
    took_s: NotRequired[float]
    boot_s: float | None
    status: str
    error: StepError | None
    lost: LostRecord | None
    setup: dict[str, Any] | None
    memory: dict[str, Any] | None
    workloads: list[WorkloadResult]
    teardown: dict[str, Any] | None
    qemu_command: list[str]

# SPDX-License-Identifier: GPL-2.0
"""The shape of a report, as mypy and its readers know it; report.schema.json checks the same.

What may be missing is missing in older reports; report_file.read() brings them to this shape.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from p2pbench.records.records import Side


class Report(TypedDict):
    """All that a run found: made from its journal alone.

    Ratios are candidate / baseline; bytes, nanoseconds (_ns) and seconds (_s).
    """

    schema: str
    run: str
    created: str
    seed: int
    environment_class: str
    matrix: MatrixPart
    ok: bool
    problems: list[str]
    totals: Totals
    compares: list[Compare]
    cells: list[Cell]
    providers: list[ProviderPart]
    verdict: list[str]
    instructions: Instructions | None
    virtual: NotRequired[VirtualPart | None]
    memory: Memory | None
    static: Static | None
    aa: Aa | None
    stopping: Stopping | None
    lost: list[LostBoot]
    not_run: list[str]
    provenance: dict[str, Any]
    qemu_commands: list[BootCommand]
    reproduce: str
    notes: list[str]


class MatrixPart(TypedDict):
    """What was asked for; `workloads` are their lengths, by name."""

    name: str
    file: str
    blocks: int
    margins: dict[str, float]
    workloads: NotRequired[dict[str, dict[str, Any]]]


class Totals(TypedDict):
    """The sums over a run."""

    boots: BootTotals
    cells: CellTotals
    p2p: P2pTotals
    duration_s: float


class BootTotals(TypedDict):
    """How many boots ended how."""

    planned: int
    ok: int
    failed: int
    lost: int
    not_run: int
    repeated: int


class CellTotals(TypedDict):
    """Peer: not on host memory; peer_proved: of those, with results and none invalid."""

    all: int
    peer: int
    peer_proved: int
    invalid: int


class P2pTotals(TypedDict):
    """What nvmet counted in all cells."""

    requests: int
    bytes: int
    fallbacks: int


class Compare(TypedDict):
    """The candidate against the baseline, and what came of it."""

    name: str
    title: str
    baseline: Side
    candidate: Side
    headline: str
    cells: list[Compared]


class Compared(TypedDict):
    """One cell of a compare, by one metric."""

    workload: str
    rw: str
    bs: int
    iodepth: int
    numjobs: int
    device: NotRequired[str]
    metric: str
    environment_class: NotRequired[str]
    margin: float
    verdict: str
    ratio: float | None
    interval: IntervalPart | None
    p: float | None
    p_holm: float | None
    look: int | None
    blocks_needed: int | None
    latency: LatencyRatios
    pairs: list[PairPart]
    missing: list[GapPart]
    reasons: list[str]
    notes: list[str]


class IntervalPart(TypedDict):
    """The bounds of a ratio."""

    low: float
    high: float
    confidence: float
    method: str


class LatencyRatios(TypedDict):
    """Median ratios, without a verdict."""

    p50: float | None
    p99: float | None


class PairPart(TypedDict):
    """The two boots of a block."""

    block: int
    baseline: SamplePart
    candidate: SamplePart
    ratio: float


class SamplePart(TypedDict):
    """A cell in one boot; the figure that was compared has the key that its metric gives it."""

    boot: str
    block: int
    state: str
    reason: str
    bytes_per_s: float | None
    per_io: NotRequired[float | None]
    figure: NotRequired[float | None]


class GapPart(TypedDict):
    """A pair that could not be formed, and why."""

    block: int
    boot: str
    reason: str


class Cell(TypedDict):
    """A workload on a side: its boots, its figures and its evidence."""

    variant: str
    provider: str
    workload: str
    kind: str
    verify: str
    states: States
    samples: list[SamplePart]
    figures: Figures | None
    evidence: CellEvidence | None


class States(TypedDict):
    """How many boots of a cell gave what."""

    ok: int
    invalid: int
    failed: int
    missing: int


class Figures(TypedDict):
    """A cell's figures over the n boots that count."""

    n: int
    bytes_per_s: Spread
    iops: Spread
    lat_mean_ns: Spread
    lat_p50_ns: Spread
    lat_p99_ns: Spread


class Spread(TypedDict):
    """The middle and the ends of some boots' figures."""

    median: float
    min: float
    max: float


class CellEvidence(TypedDict):
    """Sums over the boots; pool_used is the least of their peaks; P2P counters are null where the
    kernel has none.
    """

    boots: int | None
    requests: int | None
    bytes: int | None
    fallbacks: int | None
    device_ios: int | None
    device_bytes: int | None
    pool_size: int | None
    pool_used: int | None


class ProviderPart(TypedDict):
    """What providing memory cost: medians over n boots; free memory counts in pages of 4 KiB."""

    variant: str
    provider: str
    n: int
    p2p_devices: list[str]
    pool_bytes: float | None
    register_ns: float | None
    register_bytes: float | None
    device_zone_pages: float | None
    remove_ns: float | None
    memory_available_bytes: float | None
    pools_whole: int
    pools_seen: int


class Instructions(TypedDict):
    """Instructions per I/O of the kernel's path, by function; medians over the boots."""

    instrument: str
    absent: str
    problems: NotRequired[list[str]]
    boot_s: NotRequired[BootSeconds | None]
    cells: list[CountedPath]
    symbols: list[Symbol]


class BootSeconds(TypedDict):
    """A boot to a ready agent with the instrument loaded and without, medians in seconds."""

    counted: float
    plain: float


class CountedPath(TypedDict):
    """A path that was counted, in each variant."""

    kind: str
    path: str
    workload: str
    device: NotRequired[str]
    evidence: NotRequired[PathEvidence | None]
    variants: dict[str, PathCount]
    baseline: str
    candidates: list[str]
    others: NotRequired[int]
    functions: list[PathFunction]


class PathEvidence(TypedDict):
    """Of P2P paths: what nvmet counted in all boots that count."""

    requests: int
    fallbacks: int


class PathCount(TypedDict):
    """Instructions per I/O of a path in one variant."""

    n: int
    per_io: float
    min: float
    max: float
    subsystems: dict[str, float]


class PathFunction(TypedDict):
    """What one function takes of it."""

    function: str
    subsystem: str
    per_io: dict[str, float | None]
    difference: dict[str, float | None]
    unseen: NotRequired[list[str]]


Symbol = TypedDict(
    "Symbol", {"function": "str", "subsystem": "str", "in": "list[str]", "absent": "list[str]"}
)


class VirtualPart(TypedDict):
    """Virtual time; absent: why it was not measured; ratios as everywhere, ns and instructions per
    I/O.
    """

    icount: str
    absent: str
    environment_class: str
    ns_per_instruction: int
    cells: list[TimedPath]
    disks: list[WithDisk]
    differences: list[Difference]


class TimedPath(TypedDict):
    """A path in virtual time, in one variant."""

    workload: str
    path: str
    variant: str
    device: str
    n: int
    ns_per_io: float
    bytes_per_s: float
    latency_ns: dict[str, float]


class WithDisk(TypedDict):
    """What a disk that takes time would make of a difference."""

    compare: str
    workload: str
    path: str
    ratio: float
    with_disk_us: dict[str, float]


class Difference(TypedDict):
    """What a difference in virtual time comes from."""

    compare: str
    workload: str
    path: str
    verdict: str
    ratio: float
    instructions: float
    unexplained: float
    functions: list[DifferenceFunction]


class DifferenceFunction(TypedDict):
    """A function that it comes from, in instructions per I/O."""

    function: str
    object: str
    subsystem: str
    before: float
    after: float
    difference: float


class Memory(TypedDict):
    """What peer memory costs by the size of the BAR; bytes are exact to a page; the fits are
    described in p2pbench/analysis/memory.py.
    """

    points: list[MemoryPoint]
    fits: list[Fit]
    page_line_bytes_per_gib: int


class MemoryPoint(TypedDict):
    """What registering a BAR of one size took."""

    variant: str
    bar_bytes: int
    n: int
    overhead_bytes: Spread
    register_ns: Spread
    remove_ns: Spread
    device_zone_pages: float
    granule: float | None
    items: MemoryItems | None


class MemoryItems(TypedDict):
    """Without struct pages: the allocator's bitmap (computed from pool and granule), page tables
    that map this memory alone (read in the kernel), and the rest (the difference).
    """

    bitmap: int
    page_tables: int
    rest: int


class Fit(TypedDict):
    """A line through the points of a variant."""

    variant: str
    what: str
    per_gib: Slope
    intercept: float
    n: int
    worst: float
    method: str


class Slope(TypedDict):
    """How much more a GiB takes."""

    value: float
    low: float
    high: float


class Static(TypedDict):
    """What the kernels of the run tell without being booted."""

    structs: list[Struct]
    code: list[Code]
    series: list[Series]


class Struct(TypedDict):
    """A structure, and its size by variant."""

    name: str
    file: str
    bytes: dict[str, int]


Code = TypedDict(
    "Code",
    {
        "from": "str",
        "to": "str",
        "added": "int",
        "removed": "int",
        "net_bytes": "int",
        "functions": "list[CodeFunction]",
    },
)


class CodeFunction(TypedDict):
    """A function whose size differs, in bytes."""

    function: str
    old: int
    new: int
    difference: int


class Series(TypedDict):
    """How large a series is."""

    name: str
    source: str
    patches: int
    files: int
    insertions: int
    deletions: int


class Aa(TypedDict):
    """The same cells against themselves, a family of their own for Holm; alarms: those called
    better or worse.
    """

    cells: int
    without_pairs: NotRequired[int]
    alarms: int
    headline: NotRequired[str]
    insn_spread: float | None
    compares: list[Compare]


class Stopping(TypedDict):
    """When the run looked at its data, and what it left out."""

    budget_s: float | None
    looks: list[int]
    alpha_per_look: float
    shares: NotRequired[dict[str, list[float]]]
    rates: NotRequired[str]
    used_looks: int
    settled: int
    open: int
    skipped_boots: list[str]
    skipped_why: NotRequired[list[str]]


class LostBoot(TypedDict):
    """A boot that did not end well, or was run again."""

    boot: str
    block: int
    variant: str
    provider: str
    status: str
    repeated: bool
    stage: str
    reason: str
    console: list[str]


class BootCommand(TypedDict):
    """How a boot was started."""

    boot: str
    command: str

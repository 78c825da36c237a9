# SPDX-License-Identifier: GPL-2.0
"""The matrix: which variants, providers and workloads a run covers, and the order of its boots."""

import random
from dataclasses import asdict, dataclass, field
from typing import Any

from p2pbench.base.units import short
from p2pbench.records.kinds import COUNT, FIO, MEMORY, BootKind, WorkloadKind

DEFAULT_TESTBED = "qemu"
# Whether a matrix can do without virtual time.
WANTED, REQUIRED = "wanted", "required"


@dataclass(frozen=True)
class Workload:
    """One fio job, or one pattern check (kind "pattern"; rw is then its direction).

    bs and size are bytes, runtime_s seconds. A workload with verify moves `size`
    bytes once and reads them back; one without runs for runtime_s.

    Kinds "count" (P2P) and "ordinary" (a disk of the machine's own, with a scheduler)
    count instructions over a number of I/Os, in the count boots of their variants;
    device is the provider or the disk, blocks how many of the first blocks run it.
    """

    name: str
    kind: WorkloadKind
    rw: str
    bs: int
    iodepth: int
    numjobs: int
    verify: str
    size: int
    runtime_s: float
    providers: tuple[str, ...]
    device: str = ""
    scheduler: str = ""
    ios: int = 0
    variants: tuple[str, ...] = ()
    blocks: int = 0

    def is_timed(self) -> bool:
        """Whether its throughput by the clock on the wall means something."""
        return self.kind == FIO and not self.verify

    def is_run_in(self, block: int) -> bool:
        """Whether a block runs it; without a number of blocks, each does."""
        return not self.blocks or block < self.blocks


@dataclass(frozen=True)
class Compare:
    """A question: the candidate against the baseline, each {"variant", "provider"}."""

    name: str
    title: str
    baseline: dict[str, str]
    candidate: dict[str, str]


@dataclass(frozen=True)
class Boot:
    """One boot of the plan: the unit of replication."""

    boot: str
    index: int
    block: int
    variant: str
    provider: str
    bar: int = 0
    aa: bool = False
    kind: BootKind = FIO


@dataclass(frozen=True)
class Matrix:
    """A checked matrix file.

    boots are the (variant, provider) pairs of each block; first_blocks has, by
    "variant/provider", the number of blocks of those that only the first ones have.
    memory are the boots of the first blocks that only register a BAR of some size
    (bytes) as peer memory, and remove it: "variant", "bar", and "blocks", the number
    of blocks. counts and ordinary are what is counted: "variants" and "blocks".
    The pairs of aa are booted twice in each block. A run with a budget goes on
    to most_blocks. virtual_time says whether it makes sense without. A boot runs
    its timed workloads in so many rounds. variants are those that the matrix defines
    itself, by name: the "kernel" or the user's "tree" it is built from, and what is added to its
    "cmdline".
    """

    name: str
    file: str
    testbed: str
    flavour: str
    blocks: int
    boots: tuple[dict[str, str], ...]
    workloads: tuple[Workload, ...]
    compare: tuple[Compare, ...]
    margins: dict[str, float] = field(default_factory=dict)
    memory: tuple[dict[str, Any], ...] = ()
    counts: tuple[dict[str, Any], ...] = ()
    ordinary: tuple[dict[str, Any], ...] = ()
    aa: tuple[dict[str, str], ...] = ()
    most_blocks: int = 0
    virtual_time: str = WANTED
    rounds: int = 1
    first_blocks: dict[str, int] = field(default_factory=dict)
    variants: dict[str, dict[str, Any]] = field(default_factory=dict)

    def kernel_of(self, variant: str) -> str:
        """Return the name of the kernel that a variant boots, as variants.toml has it.

        One that is built from a user's tree has its own.
        """
        return str(self.variants.get(variant, {}).get("kernel", variant))

    def cmdline_of(self, variant: str) -> str:
        """Return the kernel parameters of a variant; those of variants.toml have none."""
        return str(self.variants.get(variant, {}).get("cmdline", ""))

    def plan(self, seed: int, blocks: int = 0) -> list[Boot]:
        """Return the boots: every pair once a block, in an order drawn from the seed.

        Those that only count come last in a block, so that they can run beside each other and
        beside no other. The first blocks are the same whatever the number of blocks.
        """
        order = random.Random(seed)
        boots: list[Boot] = []
        for block in range(blocks or self.blocks):
            entries: list[tuple[str, str, int, bool, BootKind]] = [
                (pair["variant"], pair["provider"], 0, aa, FIO) for pair, aa in self._timed(block)
            ]
            entries += [
                (entry["variant"], f"{MEMORY}-{short(entry['bar'])}", entry["bar"], False, MEMORY)
                for entry in self.memory
                if block < entry["blocks"]
            ]
            counts: list[tuple[str, str, int, bool, BootKind]] = [
                (variant, provider, 0, aa, COUNT) for variant, provider, aa in self._counted(block)
            ]
            order.shuffle(entries)
            order.shuffle(counts)
            for variant, provider, bar, aa, kind in entries + counts:
                boots.append(
                    Boot(
                        f"b{block}-{variant}-{provider}{'-aa' if aa else ''}",
                        len(boots),
                        block,
                        variant,
                        provider,
                        bar,
                        aa,
                        kind,
                    )
                )
        return boots

    def _timed(self, block: int) -> list[tuple[dict[str, str], bool]]:
        """Return the pairs of a block that are booted to be timed; those of aa once more."""
        pairs = [(pair, False) for pair in self.boots] + [(pair, True) for pair in self.aa]
        return [
            (pair, aa)
            for pair, aa in pairs
            if block < self.first_blocks.get(name_of(pair), block + 1)
        ]

    def _counted(self, block: int) -> list[tuple[str, str, bool]]:
        """Return variant and provider of a block's count boots.

        The first variant of what has a second boot in this block is booted twice.
        """
        entries = [entry for entry in self.counts + self.ordinary if block < entry["blocks"]]
        boots = [
            (variant, provider)
            for entry in entries
            for variant in entry["variants"]
            for provider in entry.get("boots", [COUNT])
        ]
        second = [
            (boots[0][0], provider)
            for entry in entries
            if block < entry.get("aa", entry["blocks"])
            for provider in entry.get("boots", [COUNT])
        ]
        return [(variant, provider, False) for variant, provider in dict.fromkeys(boots)] + [
            (variant, provider, True) for variant, provider in dict.fromkeys(second)
        ]

    def workloads_for(self, provider: str, variant: str = "") -> list[Workload]:
        """Return the workloads that run on a provider; of a count boot those of its variant."""
        return [
            workload
            for workload in self.workloads
            if provider in workload.providers
            and (not variant or not workload.variants or variant in workload.variants)
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the matrix as the journal's header keeps it."""
        return asdict(self)


def matrix_from_json(data: dict[str, Any]) -> Matrix:
    """Return the matrix that a journal's header keeps, so that a resumed run is the same run."""

    def workload(entry: dict[str, Any]) -> Workload:
        fields: dict[str, Any] = entry | {
            "providers": tuple(entry["providers"]),
            "variants": tuple(entry.get("variants", ())),
        }
        return Workload(**fields)

    parts: dict[str, Any] = {
        "boots": tuple(data["boots"]),
        "workloads": tuple(map(workload, data["workloads"])),
        "compare": tuple(Compare(**entry) for entry in data["compare"]),
        "memory": tuple(data["memory"]),
        "counts": tuple(data.get("counts", ())),
        "ordinary": tuple(data.get("ordinary", ())),
        "aa": tuple(data.get("aa", ())),
    }
    return Matrix(**data | parts)


def name_of(pair: dict[str, str]) -> str:
    """Return what a file calls a pair: "page/bar"."""
    return f"{pair['variant']}/{pair['provider']}"

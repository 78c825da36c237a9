# SPDX-License-Identifier: GPL-2.0
"""The words that a matrix, a journal and their readers share: providers, boots, instruments."""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Provider:
    """Where the target keeps the data on its way: all that the harness has to know of it.

    The agent has a row of the same name (bench/agent/setup/provider.c).
    """

    name: str
    memory: str
    is_peer: bool


HOST = "host"
_ROWS = (
    Provider(HOST, memory="host memory", is_peer=False),
    Provider("cmb", memory="peer memory in the NVMe CMB", is_peer=True),
    Provider("bar", memory="peer memory in a PCI BAR", is_peer=True),
)
PROVIDERS = {provider.name: provider for provider in _ROWS}
# Follows the provider of a boot in which the disk's own queues lie in its CMB, too.
SQES = "+sqes"

# What a boot is for: it runs fio's jobs, counts instructions, or only registers a BAR.
BootKind = Literal["fio", "count", "memory"]
# What a workload is: a job of fio's, a pattern that is written and checked, I/O through the fabric
# that is counted, or counted I/O of an ordinary disk.
WorkloadKind = Literal["fio", "pattern", "count", "ordinary"]
FIO: Final = "fio"
COUNT: Final = "count"
MEMORY: Final = "memory"
PATTERN: Final = "pattern"
ORDINARY: Final = "ordinary"

# What counted: the plugin in QEMU, which knows each function, or the CPU's own counters, a sum.
PLUGIN = "insncount"
PERF = "perf stat"


def plain(provider: str) -> str:
    """Return a provider's name without its variation: cmb+sqes is cmb."""
    return provider.removesuffix(SQES)


def has_queues_in_cmb(provider: str) -> bool:
    """Return whether the disk's own queues lie in its CMB, too, in boots of this name."""
    return provider.endswith(SQES)


def is_peer(provider: str) -> bool:
    """Return whether a provider, by its name with or without a variation, is peer memory."""
    row = PROVIDERS.get(plain(provider))
    return row is None or row.is_peer

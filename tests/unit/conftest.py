# SPDX-License-Identifier: GPL-2.0
"""A builder of journals for the tests of what is made from them."""

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from p2pbench.records.journal import Journal

Record = dict[str, Any]
IOS, BLOCK = 1000, 4096


class SyntheticRun:
    """A run as the runner would have written it, every boot ok; `write` puts it in a journal.

    speed gives the bytes per second of a boot by its cell ("page/bar"); noise is the standard
    deviation of the logarithm of what each boot adds to it; twice boots every cell a second time.
    """

    def __init__(
        self,
        speed: Mapping[str, float],
        blocks: int = 8,
        noise: float = 0.002,
        workloads: tuple[str, ...] = ("randread-4k-qd1",),
        twice: bool = False,
    ) -> None:
        self.random = random.Random(7)
        cells = [dict(zip(("variant", "provider"), name.split("/"))) for name in speed]
        self.header = _header(cells, blocks, workloads, twice)
        self.boots = [self._boot(planned, speed, noise) for planned in self.header["plan"]]

    def write(self, directory: Path) -> Path:
        """Write the journal into a directory and return its path."""
        journal = Journal.create(directory / "journal.jsonl", self.header)
        for boot in self.boots:
            journal.append(boot)
        return journal.path

    def boot(self, name: str) -> Record:
        """A boot by its name, to be changed by the test."""
        return next(boot for boot in self.boots if boot["boot"] == name)

    def result(self, boot: str, workload: str = "randread-4k-qd1") -> Record:
        """A workload's result in a boot, to be changed by the test."""
        return next(r for r in self.boot(boot)["workloads"] if r["name"] == workload)

    def lose(self, name: str) -> None:
        """Make a boot a lost machine."""
        self.boot(name).update(
            status="lost",
            workloads=[],
            setup=None,
            teardown=None,
            lost={
                "stage": "setup",
                "reason": "no answer in 30 s",
                "console": ["[    1.0] <0> Kernel panic - not syncing: planted"],
            },
        )

    def _boot(self, planned: Record, speed: Mapping[str, float], noise: float) -> Record:
        base = speed[f"{planned['variant']}/{planned['provider']}"]
        return {
            "type": "boot",
            **planned,
            "started": "2026-11-23T12:00:00+00:00",
            "duration_s": 20.5,
            "boot_s": 3.0,
            "status": "ok",
            "error": None,
            "lost": None,
            "setup": _setup(planned["provider"]),
            "memory": {"mem_available_kb": 900000},
            "workloads": [
                self._result(work, planned["provider"], base, noise)
                for work in self.header["matrix"]["workloads"]
                if planned["provider"] in work["providers"]
            ],
            "teardown": _teardown(planned["provider"]),
            "qemu_command": ["qemu-system-x86_64", "-append", "quiet console=ttyS0"],
        }

    def _result(self, workload: Record, provider: str, base: float, noise: float) -> Record:
        rate = base * 2.718281828 ** self.random.gauss(0, noise)
        timed = workload["kind"] == "fio"
        return {
            "name": workload["name"],
            "status": "ok",
            "error": None,
            "reasons": [],
            "metrics": _metrics(rate) if timed else None,
            "evidence": _evidence(provider),
        }


def _header(cells: list[Record], blocks: int, workloads: tuple[str, ...], twice: bool) -> Record:
    providers = [cell["provider"] for cell in cells]
    planned = [
        {
            "boot": f"b{block}-{c['variant']}-{c['provider']}{again}",
            "block": block,
            **c,
            "kind": "fio",
            "aa": bool(again),
        }
        for block in range(blocks)
        for again in (("", "-aa") if twice else ("",))
        for c in cells
    ]
    works = [_workload(name, providers) for name in workloads]
    return {
        "type": "run",
        "schema": "p2pbench-journal-1",
        "run": "20261123-121500-quick",
        "created": "2026-11-23T12:15:00+00:00",
        "seed": 1,
        "environment_class": "qemu-tcg",
        "matrix": {
            "name": "quick",
            "file": "configs/matrix/quick.toml",
            "blocks": blocks,
            "boots": cells,
            "workloads": works,
            "margins": {"throughput": 0.02},
            "compare": [
                {
                    "name": "p2p-bar",
                    "baseline": cells[0],
                    "candidate": cells[-1],
                    "title": "peer memory (bar) against host memory",
                }
            ][: len(cells) - 1],
        },
        "plan": [{**boot, "index": index} for index, boot in enumerate(planned)],
        "provenance": {
            "base": {"package": "linux-source-6.1", "version": "6.1.1", "sha256": "ab"},
            "host": {"cpu": "a <cpu> | with pipes"},
        },
    }


def _workload(name: str, providers: list[str]) -> Record:
    return {
        "name": name,
        "rw": "randread",
        "bs": BLOCK,
        "iodepth": 1,
        "numjobs": 1,
        "verify": "crc32c" if "verify" in name else "",
        "kind": "pattern" if "pattern" in name else "fio",
        "providers": providers,
    }


def _metrics(rate: float) -> Record:
    return {
        "bytes_per_s": rate,
        "iops": rate / BLOCK,
        "lat_mean_ns": 4e14 / rate,
        "lat_p50_ns": 3e14 / rate,
        "lat_p99_ns": 9e14 / rate,
        "ios": IOS,
        "bytes": IOS * BLOCK,
    }


def _evidence(provider: str) -> Record:
    peer = provider != "host"
    count = IOS if peer else 0
    return {
        "p2p": {"requests": count, "bytes": count * BLOCK, "fallbacks": 0},
        "device": {"reads": IOS, "read_bytes": IOS * BLOCK, "writes": 0, "write_bytes": 0},
        "pool": {
            "size": 1 << 26,
            "before": 1 << 26,
            "low": (1 << 26) - BLOCK,
            "after": 1 << 26,
            "samples": 50,
        }
        if peer
        else None,
    }


def _setup(provider: str) -> Record:
    peer = provider != "host"
    return {
        "provider": provider,
        "p2p_device": "0000:05:00.0" if peer else None,
        "pool": {"size": 1 << 26, "available": 1 << 26, "published": True} if peer else None,
        "register": {
            "ns": 3200000,
            "free_pages_before": 90000,
            "free_pages_after": 89744,
            "device_zone_pages": 16384,
        }
        if provider == "bar"
        else None,
    }


def _teardown(provider: str) -> Record:
    peer = provider != "host"
    return {
        "pool": {"size": 1 << 26, "available": 1 << 26} if peer else None,
        "remove_ns": 1500000 if provider == "bar" else None,
    }


@pytest.fixture
def synthetic() -> Callable[..., SyntheticRun]:
    """The builder: synthetic({"page/host": 1e8, "page/bar": 1e8}, blocks=8, ...)."""
    return SyntheticRun


@pytest.fixture
def lines() -> Callable[[Path], list[Record]]:
    """The records of a journal file."""
    return lambda path: [json.loads(line) for line in path.read_text().splitlines()]

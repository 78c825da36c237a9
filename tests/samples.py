# SPDX-License-Identifier: GPL-2.0
"""Sections of a report as a run with every instrument would have them."""

import random
from pathlib import Path
from typing import Any

from p2pbench.records.metrics import METRICS
from p2pbench.report import report_file, wording

Record = dict[str, Any]
VARIANTS = ("stock", "page", "pageless")
_PATH = {
    "block": 620,
    "nvme": 410,
    "nvmet": 530,
    "rdma core": 760,
    "rxe": 2900,
    "p2pdma": 130,
    "dma": 240,
    "genalloc": 180,
    "other": 21000,
}
_ORDINARY = {"block": 940, "nvme": 380, "dma": 110, "other": 3400}
# What the page-less kernel does otherwise, in instructions per I/O of a P2P path.
_CHANGED = {
    "__blk_rq_map_sg": ("block", 96, 12),
    "dma_map_sg_attrs": ("dma", 88, 0),
    "pci_p2pdma_map_segment": ("p2pdma", 61, 0),
    "blk_rq_dma_map": ("block", 0, 74),
    "bio_split_rw": ("block", 118, 141),
    "nvme_map_data": ("nvme", 150, 131),
    "sgl_alloc_order": ("nvmet", 84, 0),
    "nvmet_rdma_map_sgl_keyed": ("nvmet", 93, 71),
    "rdma_rw_ctx_init": ("rdma core", 166, 120),
    "gen_pool_alloc_owner": ("genalloc", 98, 98),
    "pci_p2pmem_alloc_sgl": ("p2pdma", 44, 0),
    "ib_p2pmem_map": ("rdma core", 0, 31),
}
_GIB = 1 << 30
_PATHS = ("bar randread 4k qd1", "bar randwrite 128k qd1")
# The same in virtual time: bytes and ns per I/O of page, and pageless against it.
_TIMED = ((4096, 93250.0, 0.9989), (131072, 1190700.0, 0.9934))
_BOOTS = 9


def quick() -> Record:
    """The report of a run of `quick`, of the first schema: throughput and its evidence alone."""
    return report_file.read(Path(__file__).parent / "data" / "quick")


def instructions(ordinary: int = 8) -> Record:
    """Two P2P paths and some of ordinary I/O, counted in six boots."""
    draw = random.Random(4)
    peer = [_peer(draw, path) for path in _PATHS]
    paths = [
        f"{device} {rw} {bs} {scheduler}"
        for device in ("null_blk", "nvme")
        for rw in ("randread", "randwrite")
        for bs in ("512", "4k", "32k", "128k")
        for scheduler in ("none", "mq-deadline")
    ]
    return {
        "instrument": "insncount",
        "absent": "",
        "cells": peer + [_ordinary_cell(draw, path) for path in paths[:ordinary]],
        "symbols": [
            {
                "function": "bvec_inlined_away",
                "subsystem": "block",
                "in": ["pageless"],
                "absent": ["stock", "page"],
            }
        ],
    }


def virtual() -> Record:
    """The same two P2P paths in virtual time: one equivalent, one worse by a function."""
    cells = [
        {
            "workload": _workload(path),
            "path": path,
            "variant": variant,
            "device": "bar",
            "n": _BOOTS,
            "ns_per_io": ns / ratio,
            "bytes_per_s": size / ns * ratio * 1e9,
            "latency_ns": {"p50": ns / ratio, "p99": 1.02 * ns / ratio, "max": 3.1 * ns},
        }
        for path, (size, ns, worse) in zip(_PATHS, _TIMED)
        for variant, ratio in (("page", 1.0), ("pageless", worse))
    ]
    disks = [
        {
            "compare": "virtual-bar",
            "workload": _workload(path),
            "path": path,
            "ratio": ratio,
            "with_disk_us": {
                str(us): (ns + us * 1000) / (ns / ratio + us * 1000) for us in (10, 80)
            },
        }
        for path, (_, ns, ratio) in zip(_PATHS, _TIMED)
    ]
    _, ns, ratio = _TIMED[1]
    more = ns / ratio - ns
    rows = [
        {
            "function": name,
            "object": "block/blk-mq.o",
            "subsystem": "block",
            "before": before,
            "after": before + part * more,
            "difference": part * more,
        }
        for name, before, part in (
            ("blk_mq_run_hw_queue", 410.0, 0.8),
            ("kblockd_mod_delayed_work_on", 45.0, 0.15),
        )
    ]
    return {
        "icount": "shift=0,sleep=off",
        "absent": "",
        "environment_class": "qemu-tcg-icount",
        "ns_per_instruction": 1,
        "cells": cells,
        "disks": disks,
        "differences": [
            {
                "compare": "virtual-bar",
                "workload": _workload(_PATHS[1]),
                "path": _PATHS[1],
                "verdict": "worse",
                "ratio": ratio,
                "instructions": more,
                "functions": rows,
                "unexplained": 0.05 * more,
            }
        ],
    }


def timed() -> list[Record]:
    """The compares of the same: throughput in virtual time, and the percentiles of latency."""
    sides: Record = {
        side: {"variant": variant, "provider": "count"}
        for side, variant in (("baseline", "page"), ("candidate", "pageless"))
    }
    cells = {
        metric: [
            _timed_cell(path, metric, ratio if metric == "virtual" else 1 / ratio)
            for path, (_, _, ratio) in zip(_PATHS, _TIMED)
        ]
        for metric in ("virtual", "virtual_p50", "virtual_p99")
    }
    compares = [
        {
            "name": "virtual-bar",
            "cells": cells["virtual"],
            **sides,
            "title": "throughput in virtual time, pageless against page, peer memory in a PCI BAR",
        },
        {
            "name": "latency-bar",
            "cells": cells["virtual_p50"] + cells["virtual_p99"],
            **sides,
            "title": "latency in virtual time, pageless against page, peer memory in a PCI BAR",
        },
    ]
    return [compare | {"headline": wording.headline(compare)} for compare in compares]


def memory() -> Record:
    """Two variants, BARs of 64 MiB to 256 GiB; the small ones too small for free memory to show."""
    points = []
    for power in range(7):
        size = (64 << 20) * 4**power
        pages = size / _GIB * 64 * 262144
        points += [
            _point("page", size, 1.03 * pages, 1.6e7 + 4.4e7 * size / _GIB, size >> 12),
            _point(
                "pageless",
                size,
                0 if power < 3 else size / _GIB * 31700,
                2.1e5 + 9.8e3 * size / _GIB,
                0,
            ),
        ]
    fits = [
        _fit("page", "overhead_bytes", 17.3e6, 4000),
        _fit("pageless", "overhead_bytes", 31.7e3, 0),
        _fit("page", "register_ns", 4.4e7, 1.6e7),
        _fit("pageless", "register_ns", 9.8e3, 2.1e5),
    ]
    return {"points": points, "fits": fits, "page_line_bytes_per_gib": 64 * 262144}


def static() -> Record:
    """Structures, code and patches."""
    structs = [
        ("bio", "include/linux/blk_types.h", 136, 136),
        ("request", "include/linux/blk-mq.h", 264, 264),
        ("nvmet_req", "drivers/nvme/target/nvmet.h", 1120, 1144),
    ]
    return {
        "structs": [
            {"name": name, "file": file, "bytes": {"stock": old, "page": old, "pageless": new}}
            for name, file, old, new in structs
        ],
        "code": [
            {
                "from": "page",
                "to": "pageless",
                "added": 31,
                "removed": 44,
                "net_bytes": -2214,
                "functions": [
                    {"function": "__blk_rq_map_sg", "old": 1244, "new": 1391, "difference": 147},
                    {
                        "function": "pci_p2pdma_map_segment",
                        "old": 211,
                        "new": 0,
                        "difference": -211,
                    },
                ],
            }
        ],
        "series": [
            {
                "name": "baseline",
                "patches": 7,
                "files": 12,
                "insertions": 301,
                "deletions": 44,
                "source": "git",
            },
            {
                "name": "pageless",
                "patches": 32,
                "files": 41,
                "insertions": 1620,
                "deletions": 1388,
                "source": "git",
            },
            {
                "name": "rfc",
                "patches": 28,
                "files": 36,
                "insertions": 1270,
                "deletions": 1100,
                "source": "git",
            },
        ],
    }


def aa(compare: Record, alarms: int = 0) -> Record:
    """A check of the kernel against itself, shaped like a compare of the report."""
    return {
        "cells": len(compare["cells"]),
        "alarms": alarms,
        "insn_spread": 0.0021,
        "compares": [
            {
                **compare,
                "name": "aa-page-bar",
                "title": "page/bar against itself",
                "baseline": compare["candidate"],
            }
        ],
    }


def stopping() -> Record:
    """A run that looked twice and left out two boots."""
    return {
        "budget_s": 1200.0,
        "looks": [3, 5, 8],
        "alpha_per_look": 0.0167,
        "used_looks": 2,
        "settled": 3,
        "open": 1,
        "skipped_boots": ["b6-page-bar", "b7-page-bar"],
    }


def whole(report: Record) -> Record:
    """The report with every section; the verdict is still that of the bare one."""
    return report | {
        "instructions": instructions(),
        "virtual": virtual(),
        "memory": memory(),
        "static": static(),
        "aa": aa(report["compares"][0]),
        "stopping": stopping(),
        "compares": report["compares"] + timed(),
    }


def _workload(path: str) -> str:
    return "count-" + path.replace(" ", "-")


def _timed_cell(path: str, metric: str, ratio: float) -> Record:
    """Nine pairs that differ by little, so that the margin decides."""
    tested = len(_PATHS) * (1 if metric == "virtual" else 2)
    margin = METRICS[metric].margin
    device, rw, size, depth = path.split()
    pairs = [
        {
            "block": block,
            "ratio": ratio * (1 + 0.0001 * (block - 4)),
            "baseline": _timed_sample(f"b{block}-page-count", block, 1e6),
            "candidate": _timed_sample(f"b{block}-pageless-count", block, 1e6 * ratio),
        }
        for block in range(_BOOTS)
    ]
    return {
        "workload": _workload(path),
        "rw": rw,
        "bs": int(size.removesuffix("k")) << 10,
        "iodepth": int(depth.removeprefix("qd")),
        "numjobs": 1,
        "device": device,
        "metric": metric,
        "environment_class": "qemu-tcg-icount",
        "margin": margin,
        "verdict": "worse" if abs(ratio - 1) > margin else "equivalent",
        "ratio": ratio,
        "interval": {
            "low": ratio - 0.0003,
            "high": ratio + 0.0003,
            "confidence": 0.95,
            "method": "BCa",
        },
        "p": 2 / 2**_BOOTS,
        "p_holm": tested * 2 / 2**_BOOTS,
        "look": 1,
        "blocks_needed": None,
        "latency": {"p50": None, "p99": None},
        "pairs": pairs,
        "missing": [],
        "reasons": [],
        "notes": [],
    }


def _timed_sample(boot: str, block: int, figure: float) -> Record:
    return {
        "boot": boot,
        "block": block,
        "state": "ok",
        "reason": "",
        "bytes_per_s": None,
        "figure": figure,
    }


def _peer(draw: random.Random, path: str) -> Record:
    saved = sum(new - old for _, old, new in _CHANGED.values())
    functions = [
        {
            "function": name,
            "subsystem": subsystem,
            "per_io": {"page": float(old), "pageless": float(new)},
            "difference": {"pageless": float(new - old)},
        }
        for name, (subsystem, old, new) in _CHANGED.items()
    ]
    factor = 9.0 if "128k" in path else 1.0
    page = {name: factor * value for name, value in _PATH.items()}
    pageless = dict(page)
    for subsystem, old, new in _CHANGED.values():
        pageless[subsystem] = max(0.0, pageless[subsystem] + new - old)
    assert saved < 0
    return {
        "kind": "p2p",
        "path": path,
        "workload": _workload(path),
        "device": path.split()[0],
        "evidence": {"requests": 2 * _BOOTS * 500, "fallbacks": 0},
        "variants": {"page": _counted(draw, page), "pageless": _counted(draw, pageless)},
        "baseline": "page",
        "candidates": ["pageless"],
        "functions": sorted(functions, key=lambda one: -abs(one["difference"]["pageless"])),
    }


def _ordinary_cell(draw: random.Random, path: str) -> Record:
    factor = 1 + 0.2 * draw.random()
    base = {name: factor * value for name, value in _ORDINARY.items()}
    variants = {name: _counted(draw, base) for name in VARIANTS}
    return {
        "kind": "ordinary",
        "path": path,
        "workload": _workload(path),
        "variants": variants,
        "baseline": "stock",
        "candidates": ["page", "pageless"],
        "functions": [],
    }


def _counted(draw: random.Random, subsystems: dict[str, float]) -> Record:
    path = sum(value for name, value in subsystems.items() if name != "other")
    total = path * draw.gauss(1, 0.0008)
    return {
        "n": 6,
        "per_io": total,
        "min": total * 0.9988,
        "max": total * 1.0011,
        "subsystems": subsystems,
    }


def _point(variant: str, size: int, taken: float, ns: float, pages: int) -> Record:
    return {
        "variant": variant,
        "bar_bytes": size,
        "n": 3,
        "overhead_bytes": _spread(taken),
        "register_ns": _spread(ns),
        "remove_ns": _spread(3.9e7 + ns / 3),
        "device_zone_pages": pages,
        "granule": None if pages else 4096,
        "items": {"bitmap": size >> 15, "page_tables": 4096, "rest": 12000} if not pages else None,
    }


def _spread(value: float) -> Record:
    return {"median": value, "min": value * 0.93, "max": value * 1.12}


def _fit(variant: str, what: str, value: float, intercept: float) -> Record:
    return {
        "variant": variant,
        "what": what,
        "intercept": intercept,
        "n": 21,
        "per_gib": {"value": value, "low": value * 0.98, "high": value * 1.02},
        "worst": 0.04,
        "method": "least squares on the boots, interval by bootstrap over boots",
    }

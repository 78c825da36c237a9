# SPDX-License-Identifier: GPL-2.0
"""A journal of 2,000 boots becomes a report in reasonable memory; the time is only printed."""

import dataclasses
import itertools
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from p2pbench.base.paths import CONFIGS
from p2pbench.plan.matrix import Matrix, Workload
from p2pbench.plan.matrix_file import read_matrix
from p2pbench.records.virtual_time import ICOUNT

Record = dict[str, Any]
MAKE = """
import resource, sys, time
from p2pbench.report import build
began = time.process_time()
made = build.write(sys.argv[1])
print(sum(len(one["cells"]) for one in made["compares"]), made["aa"]["cells"],
      len(made["instructions"]["cells"]), len(made["memory"]["points"]), len(made["problems"]),
      f"{time.process_time() - began:.1f}",
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
BLOCKS = 30
INSTRUMENT = {"name": "insncount", "reason": "", "sha256": "", "icount": ICOUNT, "real_time": ""}
# Functions of a path that run in an I/O, and lists of them that differ.
FUNCTIONS = {"count": 200, "ordinary": 60}
LISTS = 5


def test_30_blocks_of_full_take_less_than_500_mib(synthetic: Any, tmp_path: Path) -> None:
    matrix = full()
    plan = [vars(boot) for boot in matrix.plan(1, BLOCKS)]
    like = synthetic({f"page/{name}": 1e8 for name in ("host", "cmb", "bar")}, blocks=1)
    path = tmp_path / "journal.jsonl"
    with path.open("w") as journal:
        header = like.header | {
            "matrix": matrix.as_json(),
            "plan": plan,
            "provenance": like.header["provenance"] | {"instrument": INSTRUMENT},
        }
        for record in itertools.chain([header], boots(matrix, plan, like)):
            journal.write(json.dumps(record, separators=(",", ":")) + "\n")
    counted = sum(boot["kind"] == "count" for boot in plan)
    mb = path.stat().st_size / 1e6
    assert counted > 6 * BLOCKS and mb > 150
    done = subprocess.run(
        [sys.executable, "-c", MAKE, tmp_path], text=True, stdout=subprocess.PIPE, check=True
    )
    path.unlink()
    compared, aa, paths, points, problems, seconds, mib = done.stdout.split()
    print(
        f"{len(plan)} boots, {counted} of them counted, {mb:.0f} MB, {compared} + {aa} cells "
        f"compared: {seconds} s of CPU, {mib} MiB"
    )
    assert int(compared) > 60 and int(aa) > 20 and problems == "0"
    assert paths == str(sum(one.kind in FUNCTIONS for one in matrix.workloads))
    assert points == str(len(matrix.memory))
    assert int(mib) < 500


def full() -> Matrix:
    """The matrix for a published comparison, with more blocks, and counts in each of them."""
    matrix = read_matrix(CONFIGS / "matrix" / "full.toml")
    counts, ordinary = (
        tuple(entry | {"blocks": BLOCKS} for entry in entries)
        for entries in (matrix.counts, matrix.ordinary)
    )
    return dataclasses.replace(matrix, blocks=BLOCKS, counts=counts, ordinary=ordinary)


def boots(matrix: Matrix, plan: list[Record], like: Any) -> Iterator[Record]:
    """The boots of a plan, each with its workloads, all ok."""
    draw = random.Random(1)
    tables = {
        kind: [list(rows(draw, number)) for _ in range(LISTS)] for kind, number in FUNCTIONS.items()
    }
    for planned in plan:
        provider = str(planned["provider"]).partition("+")[0]
        template = like.boot("b0-page-bar" if planned["kind"] != "fio" else f"b0-page-{provider}")
        works = matrix.workloads_for(planned["provider"], planned["variant"])
        yield template | planned | {
            "workloads": [
                counts(work, draw, tables[work.kind])
                if work.kind in FUNCTIONS
                else moved(work, draw, like_of(like, work.device or provider))
                for work in works
            ]
        }


def like_of(like: Any, provider: str) -> Record:
    """A result of a provider, or of another one with peer memory."""
    name = provider.partition("+")[0]
    return dict(like.boot(f"b0-page-{name if name in ('host', 'cmb') else 'bar'}")["workloads"][0])


def rows(draw: random.Random, number: int) -> Iterator[Record]:
    """What the plugin counts of a path."""
    for i in range(number):
        yield {
            "function": f"nvmet_rdma_function_{i}",
            "object": "drivers/nvme/target/rdma.o",
            "subsystem": "nvmet",
            "per_io": round(100 + draw.random(), 4),
        }


def counts(work: Workload, draw: random.Random, tables: list[list[Record]]) -> Record:
    """The result of a counted workload."""
    functions = draw.choice(tables)
    per_io = sum(row["per_io"] for row in functions) + draw.random()
    p2p = work.kind == "count" and work.device != "host"
    size = work.ios * work.bs
    evidence = {
        "p2p": {"requests": work.ios, "bytes": size, "fallbacks": 0} if p2p else None,
        "device": {"reads": work.ios, "read_bytes": size, "writes": 0, "write_bytes": 0},
        "pool": {"size": 2, "before": 2, "low": 1, "after": 2, "samples": 50} if p2p else None,
    }
    return {
        "name": work.name,
        "status": "ok",
        "error": None,
        "reasons": [],
        "metrics": None,
        "evidence": evidence,
        "counts": {
            "instrument": "insncount",
            "ios": work.ios,
            "per_io": round(per_io, 4),
            "total": int(per_io * work.ios),
            "subsystems": {"nvmet": round(per_io, 4)},
            "functions": functions,
            "reason": "",
        },
        "virtual": {
            "duration_ns": int(per_io * work.ios),
            "bytes": size,
            "latency_ns": {name: int(per_io) for name in ("p50", "p99", "p999", "max")},
        },
    }


def moved(work: Workload, draw: random.Random, like: Record) -> Record:
    """The result of a workload of fio's, or of a pattern: like another one, at its own speed."""
    speed = draw.lognormvariate(0, 0.1)
    metrics = like["metrics"] | {
        key: like["metrics"][key] * speed for key in ("bytes_per_s", "iops")
    }
    return like | {"name": work.name, "metrics": metrics if work.kind == "fio" else None}

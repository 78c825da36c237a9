# SPDX-License-Identifier: GPL-2.0
"""The P2P smoke cells on the debug flavour, without one complaint of the kernel."""

import json
from pathlib import Path

from p2pbench.linux.kernel import Kernel, build
from p2pbench.linux.variants import find_variant
from p2pbench.plan.matrix_file import find_matrix, read_matrix
from support import start_bench


def test_the_p2p_cells_run_under_every_checker_without_a_complaint(tmp_path: Path) -> None:
    process = start_bench(tmp_path, "--matrix=debug")
    text, _ = process.communicate()
    assert process.returncode == 0, text
    (journal,) = tmp_path.glob("*/journal.jsonl")
    boots = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
    assert {(boot["variant"], boot["provider"]) for boot in boots} >= {
        (variant, provider) for variant in ("page", "pageless-kunit") for provider in ("cmb", "bar")
    }
    assert all(entry["status"] == "ok" for boot in boots for entry in boot["workloads"])


def test_the_checkers_are_there() -> None:
    kernel: Kernel = build(find_variant("page"), read_matrix(find_matrix("debug")).flavour)
    config = (kernel.directory / "config").read_text()
    for option in (
        "KASAN",
        "PROVE_LOCKING",
        "PROVE_RCU",
        "DEBUG_ATOMIC_SLEEP",
        "DEBUG_SG",
        "DEBUG_VIRTUAL",
        "DMA_API_DEBUG",
        "UBSAN",
        "DEBUG_KMEMLEAK",
        "FAILSLAB",
        "DETECT_HUNG_TASK",
    ):
        assert f"CONFIG_{option}=y" in config

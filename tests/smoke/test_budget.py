# SPDX-License-Identifier: GPL-2.0
"""A run with a budget, on real boots: it ends by itself, is whole, and stays as it ended."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from p2pbench.linux.kernel import Kernel
from support import start_bench

MATRIX = """\
blocks = 2
most_blocks = 40
aa = "page/host"

[[boots]]
variant = "page"
providers = ["host", "bar"]

[[workloads]]
rw = "randread"
bs = "16k"
runtime = "300ms"

[[compare]]
name = "p2p"
title = "peer against host memory"
baseline = "page/host"
candidate = "page/bar"
"""


@pytest.fixture
def matrix(tmp_path: Path, page_kernel: Kernel) -> str:
    path = tmp_path / "forty.toml"
    path.write_text(MATRIX)
    return str(path)


def test_a_budget_ends_the_run_and_what_it_left_out_is_skipped(tmp_path: Path, matrix: str) -> None:
    results = tmp_path / "results"
    process = start_bench(
        results, f"--matrix={matrix}", "--budget=60s", f"--junitxml={tmp_path / 'junit.xml'}"
    )
    text, _ = process.communicate()
    assert process.returncode == 0, text
    assert "the budget of 1 min is used up" in text and "have not run" not in text
    (path,) = results.glob("*/report.json")
    report = json.loads(path.read_text())
    ran = report["totals"]["boots"]["ok"]
    assert ran >= 3 and ran % 3 == 0  # whole blocks
    assert len(report["stopping"]["skipped_boots"]) == 120 - ran
    assert report["not_run"] == [] and report["aa"]["cells"] == 1
    assert report["reproduce"].endswith("BUDGET=60s")
    cases = list(ElementTree.parse(tmp_path / "junit.xml").getroot().iter("testcase"))
    skipped = [case for case in cases if case.find("skipped") is not None]
    assert {case.attrib["name"] for case in skipped} == {
        f"test_boot[{name}]" for name in report["stopping"]["skipped_boots"]
    }

    again = start_bench(results, f"--resume={path.parent.name}")
    text, _ = again.communicate()
    assert again.returncode == 0, text
    assert json.loads(path.read_text()) == report


def test_a_budget_too_small_for_a_block_is_refused_before_anything_boots(
    tmp_path: Path, matrix: str
) -> None:
    process = start_bench(tmp_path / "results", f"--matrix={matrix}", "--budget=5s")
    text, _ = process.communicate()
    assert process.returncode == 4
    assert "BUDGET of 5 s: one block of" in text and "is 3 boots and takes about" in text
    assert list((tmp_path / "results").glob("*")) == []

"""A kernel with a known loss is called worse: the whole harness, on real boots."""

import json
from pathlib import Path
from typing import Any

import pytest

from support import start_bench
from p2pbench.kernel import build
from p2pbench.variants import find_variant


def report_of(results: Path, matrix: str) -> dict[str, Any]:
    """Run a matrix as a user does and return its report."""
    process = start_bench(results, f"--matrix={matrix}", "--seed=4")
    text, _ = process.communicate()
    assert process.returncode == 0, text
    (path,) = results.glob("*/report.json")
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def cells(report: dict[str, Any], compare: str) -> list[dict[str, Any]]:
    """The cells of one compare."""
    (found,) = (one["cells"] for one in report["compares"] if one["name"] == compare)
    assert found
    return list(found)


@pytest.fixture(scope="module")
def delayed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    for name in ("pageless", "planted-p2p"):
        build(find_variant(name), "bench")
    return report_of(tmp_path_factory.mktemp("results"), "planted-p2p")


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    for name in ("page", "planted-bio"):
        build(find_variant(name), "bench")
    return report_of(tmp_path_factory.mktemp("results"), "planted-bio")


def test_a_delay_on_the_p2p_path_is_worse(delayed: dict[str, Any]) -> None:
    (cell,) = cells(delayed, "planted")
    assert cell["verdict"] == "worse", cell
    assert cell["ratio"] < 0.5 and cell["p_holm"] <= 0.05


def test_the_delay_is_on_the_p2p_path_alone(delayed: dict[str, Any]) -> None:
    # Its ratio is far from that of the delay; a verdict may be a false alarm in 5 % of runs.
    (cell,) = cells(delayed, "elsewhere")
    assert cell["ratio"] > 0.5, cell


def test_the_kernel_that_it_is_compared_with_is_compared_with_itself(
        delayed: dict[str, Any]) -> None:
    (compare,) = delayed["aa"]["compares"]
    (cell,) = compare["cells"]
    assert delayed["aa"]["cells"] == 1 and len(cell["pairs"]) == 8


def test_40_instructions_in_every_bio_are_worse(longer: dict[str, Any]) -> None:
    for cell in cells(longer, "ordinary-planted-bio"):
        assert cell["metric"] == "instructions"
        assert cell["verdict"] == "worse", cell
        assert 1.01 < cell["ratio"] < 1.03


def test_counts_of_the_same_kernel_repeat(longer: dict[str, Any]) -> None:
    assert longer["aa"]["alarms"] == 0
    assert longer["aa"]["insn_spread"] < 0.005

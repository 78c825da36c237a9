"""Two runs are compared where that means something, and refused by name where it does not."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from p2pbench import compare, report, reports, significance, unpaired
from p2pbench.errors import BenchError
from p2pbench.estimate import verdict_of
from p2pbench.significance import ALPHA

WORKLOADS = ("randread-4k-qd1", "randwrite-8k-qd2", "pattern-there")


@pytest.fixture
def runs(synthetic: Any, tmp_path: Path) -> Any:
    """A maker of reports: speed of page/bar, and what to change in the header."""
    def make(name: str, speed: float, **header: Any) -> dict[str, Any]:
        run = synthetic({"page/host": 1e8, "page/bar": speed}, workloads=WORKLOADS)
        run.header |= {"run": name, "seed": len(name), **header}
        (tmp_path / name).mkdir()
        run.write(tmp_path / name)
        return report.write(tmp_path / name)
    return make


def verdicts(made: dict[str, Any]) -> dict[str, set[str]]:
    """The verdicts by the name of the group."""
    return {one["name"]: {cell["verdict"] for cell in one["cells"]} for one in made["compares"]}


def test_a_loss_between_runs_is_worse_and_what_did_not_change_is_equivalent(runs: Any) -> None:
    made = compare.compare(runs("a", 1e8), runs("bb", 0.9e8))
    assert verdicts(made) == {"throughput page/host": {"equivalent"},
                              "throughput page/bar": {"worse"}}
    cell = made["compares"][1]["cells"][0]
    assert cell["interval"]["low"] < 0.9 < cell["interval"]["high"] < 0.95
    assert cell["boots"] == [8, 8] and cell["p"] < cell["p_holm"] < 0.05


def test_exchanging_the_runs_turns_the_verdict_round(runs: Any) -> None:
    made = compare.compare(runs("bb", 0.9e8), runs("a", 1e8))
    assert verdicts(made)["throughput page/bar"] == {"better"}


def test_classes_do_not_mix(runs: Any) -> None:
    with pytest.raises(BenchError, match="a is of environment class qemu-tcg, bb of hardware: "):
        compare.compare(runs("a", 1e8), runs("bb", 1e8, environment_class="hardware"))


def test_bases_do_not_mix(runs: Any) -> None:
    other = {"base": {"package": "linux-source-6.12", "version": "6.12.1", "sha256": "cd"}}
    with pytest.raises(BenchError, match=r"on linux-source-6.1 6.1.1 ab, bb on linux-source-6.12"):
        compare.compare(runs("a", 1e8), runs("bb", 1e8, provenance=other))


def test_a_run_is_not_compared_with_itself(runs: Any) -> None:
    one = runs("a", 1e8)
    with pytest.raises(BenchError, match="the same run twice"):
        compare.compare(one, one)


def test_cells_of_one_run_alone_are_named(runs: Any) -> None:
    a, b = runs("a", 1e8), runs("bb", 1e8)
    b["cells"] = [cell for cell in b["cells"] if cell["provider"] == "bar"]
    assert compare.compare(a, b)["only_a"] == [
        "page/host randread 4k qd1 (throughput)", "page/host randwrite 8k qd2 (throughput)"]
    b["cells"] = []
    with pytest.raises(BenchError, match="no cell in common"):
        compare.compare(a, b)


def test_workloads_of_one_name_and_another_length_are_not_compared(runs: Any) -> None:
    a, b = runs("a", 1e8), runs("bb", 1e8)
    b["matrix"]["workloads"]["randread-4k-qd1"]["runtime_s"] = 3.0
    cells = [cell for one in compare.compare(a, b)["compares"] for cell in one["cells"]]
    told = {cell["workload"]: cell["reasons"] for cell in cells if cell["verdict"] == "invalid"}
    assert list(told) == ["randread-4k-qd1"]
    assert told["randread-4k-qd1"][0].startswith("the runs differ in runtime_s: ")


def test_invalid_evidence_in_either_run_gives_no_number(runs: Any) -> None:
    a, b = runs("a", 1e8), runs("bb", 1e8)
    b["cells"][3]["samples"][2] |= {"state": "invalid", "reason": "12 requests fell back"}
    cell = next(one for one in compare.compare(a, b)["compares"][1]["cells"]
                if one["verdict"] == "invalid")
    assert cell["ratio"] is None and cell["interval"] is None
    assert cell["reasons"] == [f"bb {b['cells'][3]['samples'][2]['boot']}: 12 requests fell back"]


def test_counted_instructions_are_compared_and_fewer_are_better(runs: Any) -> None:
    a, b = runs("a", 1e8), runs("bb", 1e8)
    for made, per_io in ((a, 1000.0), (b, 980.0)):
        counted = json.loads(json.dumps(made["compares"][0]))
        counted |= {"name": "instructions"}
        for cell in counted["cells"]:
            cell["metric"] = "instructions"
            for i, pair in enumerate(cell["pairs"]):
                for side in ("baseline", "candidate"):
                    pair[side] |= {"per_io": per_io + i}
        made["compares"].append(counted)
        made["matrix"]["margins"]["instructions"] = 0.005
    found = verdicts(compare.compare(a, b))
    assert found["instructions page/bar"] == {"better"}


def test_it_is_written_in_three_forms_and_says_what_differs(runs: Any, tmp_path: Path) -> None:
    a = runs("a", 1e8)
    b = runs("bb", 0.9e8, provenance={
        "base": a["provenance"]["base"], "host": {"cpu": "another <cpu>"}})
    html, markdown, data = compare.write(compare.compare(a, b), tmp_path / "compare")
    assert json.loads(data.read_text())["schema"] == "p2pbench-compare-1"
    assert "another <cpu>" in markdown.read_text()
    assert "another &lt;cpu&gt;" in html.read_text() and "<svg" in html.read_text()
    assert "2 worse" in html.read_text() and "2 worse" in markdown.read_text()


def test_the_command_compares_and_refuses(
    runs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "RESULTS", tmp_path)
    runs("a", 1e8), runs("bb", 0.9e8)
    assert compare.main([str(tmp_path / "a"), str(tmp_path / "bb")]) == 0
    assert "bb against a: 4 cells compared: 2 worse" in capsys.readouterr().out
    assert "bb against a" in (tmp_path / "index.html").read_text()
    assert compare.main([str(tmp_path / "a"), str(tmp_path / "none")]) == 2
    assert "expected the directory of a run that has a report (there: " in capsys.readouterr().err
    (tmp_path / "a" / "journal.jsonl").write_text("")
    (tmp_path / "a" / "report.json").unlink()
    assert compare.main([str(tmp_path / "a"), str(tmp_path / "bb")]) == 2
    assert "(make report RUN=a)" in capsys.readouterr().err


def test_a_report_of_the_first_schema_is_read_and_one_of_the_future_refused_by_name(
    runs: Any, tmp_path: Path
) -> None:
    made = runs("a", 1e8)
    first = {key: value for key, value in made.items() if key not in (
        "verdict", "instructions", "memory", "static", "aa", "stopping")}
    file = tmp_path / "report.json"
    file.write_text(json.dumps(first | {"schema": "p2pbench-report-1"}))
    old = reports.read(file)
    assert old["memory"] is None and old["verdict"][0].startswith("Peer memory (bar) against")
    file.write_text(json.dumps(made | {"schema": "p2pbench-report-9"}))
    with pytest.raises(BenchError, match='report.json: schema "p2pbench-report-9" is not known'):
        reports.read(file)
    file.write_text(json.dumps(made | {"cells": 3}))
    with pytest.raises(BenchError, match="not what p2pbench-report-2 says at cells"):
        reports.read(file)


def test_few_boots_have_wide_intervals_and_fewer_none() -> None:
    a, b = [1.0, 1.01, 0.99], [0.90, 0.91, 0.89]
    found = unpaired.difference(a, b, [1])
    assert found.interval and found.interval.method == "BCa+t" and "too few" in found.note
    assert found.p == pytest.approx(0.1)
    assert verdict_of(found.interval, 0.02, significant=found.p <= ALPHA) == "inconclusive"
    assert unpaired.difference(a[:2], b, [1]).interval is None


def test_the_interval_of_two_samples_keeps_its_level() -> None:
    """Seeded: 300 times two samples of one kernel; 95 % of the intervals hold no difference."""
    draw = np.random.default_rng(5)
    inside = 0
    for i in range(300):
        a, b = np.exp(draw.normal(0, 0.1, (2, 8)))
        interval = unpaired.difference(a.tolist(), b.tolist(), [i]).interval
        assert interval
        inside += interval.low <= 0 <= interval.high
    assert 0.90 <= inside / 300 <= 0.99


def test_holm_is_never_smaller_than_the_one_before() -> None:
    assert significance.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert math.isclose(max(significance.holm([0.5, 0.9])), 1.0)

# SPDX-License-Identifier: GPL-2.0
"""Two runs are compared where that means something, and refused by name where it does not."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from p2pbench.__main__ import main
from p2pbench.base.errors import BenchError
from p2pbench.report import build, comparable, report_file, two_runs

WORKLOADS = ("randread-4k-qd1", "randwrite-8k-qd2", "pattern-there")


@pytest.fixture
def runs(synthetic: Any, tmp_path: Path) -> Any:
    """A maker of reports: speed of page/bar, and what to change in the header."""

    def make(name: str, speed: float, **header: Any) -> dict[str, Any]:
        run = synthetic({"page/host": 1e8, "page/bar": speed}, workloads=WORKLOADS)
        run.header |= {"run": name, "seed": len(name), **header}
        (tmp_path / name).mkdir()
        run.write(tmp_path / name)
        return build.write(tmp_path / name)

    return make


def verdicts(made: dict[str, Any]) -> dict[str, set[str]]:
    """The verdicts by the name of the group."""
    return {one["name"]: {cell["verdict"] for cell in one["cells"]} for one in made["compares"]}


def test_a_loss_between_runs_is_worse_and_what_did_not_change_is_equivalent(runs: Any) -> None:
    made = two_runs.compare(runs("a", 1e8), runs("bb", 0.9e8))
    assert verdicts(made) == {
        "throughput page/host": {"equivalent"},
        "throughput page/bar": {"worse"},
    }
    cell = made["compares"][1]["cells"][0]
    assert cell["interval"]["low"] < 0.9 < cell["interval"]["high"] < 0.95
    assert cell["boots"] == [8, 8] and cell["p"] < cell["p_holm"] < 0.05


def test_exchanging_the_runs_turns_the_verdict_round(runs: Any) -> None:
    made = two_runs.compare(runs("bb", 0.9e8), runs("a", 1e8))
    assert verdicts(made)["throughput page/bar"] == {"better"}


def test_classes_do_not_mix(runs: Any) -> None:
    with pytest.raises(BenchError, match="a is of environment class qemu-tcg, bb of hardware: "):
        two_runs.compare(runs("a", 1e8), runs("bb", 1e8, environment_class="hardware"))


def test_bases_do_not_mix(runs: Any) -> None:
    other = {"base": {"package": "linux-source-6.12", "version": "6.12.1", "sha256": "cd"}}
    with pytest.raises(BenchError, match=r"on linux-source-6.1 6.1.1 ab, bb on linux-source-6.12"):
        two_runs.compare(runs("a", 1e8), runs("bb", 1e8, provenance=other))


def test_a_run_is_not_compared_with_itself(runs: Any) -> None:
    one = runs("a", 1e8)
    with pytest.raises(BenchError, match="the same run twice"):
        two_runs.compare(one, one)


def test_cells_of_one_run_alone_are_named(runs: Any) -> None:
    a, b = runs("a", 1e8), runs("bb", 1e8)
    b["cells"] = [cell for cell in b["cells"] if cell["provider"] == "bar"]
    assert two_runs.compare(a, b)["only_a"] == [
        "page/host randread 4k qd1 (throughput)",
        "page/host randwrite 8k qd2 (throughput)",
    ]
    b["cells"] = []
    with pytest.raises(BenchError, match="no cell in common"):
        two_runs.compare(a, b)


def test_workloads_of_one_name_and_another_length_are_not_compared(runs: Any) -> None:
    a, b = runs("a", 1e8), runs("bb", 1e8)
    b["matrix"]["workloads"]["randread-4k-qd1"]["runtime_s"] = 3.0
    cells = [cell for one in two_runs.compare(a, b)["compares"] for cell in one["cells"]]
    told = {cell["workload"]: cell["reasons"] for cell in cells if cell["verdict"] == "invalid"}
    assert list(told) == ["randread-4k-qd1"]
    assert told["randread-4k-qd1"][0].startswith("the runs differ in runtime_s: ")


def test_invalid_evidence_in_either_run_gives_no_number(runs: Any) -> None:
    a, b = runs("a", 1e8), runs("bb", 1e8)
    b["cells"][3]["samples"][2] |= {"state": "invalid", "reason": "12 requests fell back"}
    cell = next(
        one for one in two_runs.compare(a, b)["compares"][1]["cells"] if one["verdict"] == "invalid"
    )
    assert cell["ratio"] is None and cell["interval"] is None
    assert cell["reasons"] == [f"bb {b['cells'][3]['samples'][2]['boot']}: 12 requests fell back"]


def count(report_: dict[str, Any], per_io: float) -> None:
    """Give a report instructions per I/O of each of its cells, too."""
    counted = json.loads(json.dumps(report_["compares"][0]))
    counted |= {"name": "instructions"}
    for cell in counted["cells"]:
        cell["metric"] = "instructions"
        for i, pair in enumerate(cell["pairs"]):
            for side in ("baseline", "candidate"):
                pair[side] |= {"per_io": per_io + i}
    report_["compares"].append(counted)
    report_["matrix"]["margins"]["instructions"] = 0.005


def test_a_counted_cell_that_its_own_report_calls_invalid_has_no_number(runs: Any) -> None:
    """Its boot is in no pair: only the cell's reasons name it."""
    a, b = runs("a", 1e8), runs("bb", 1e8)
    for report_ in (a, b):
        count(report_, 5000.0)
    cell = b["compares"][-1]["cells"][0]
    boot = cell["pairs"].pop(2)["candidate"]["boot"]
    cell["reasons"] = [f"{boot}: the clock ran on"]
    cells = [
        one
        for made in two_runs.compare(a, b)["compares"]
        for one in made["cells"]
        if one["metric"] == "instructions" and one["workload"] == cell["workload"]
    ]
    reasons = {one["verdict"]: one["reasons"] for one in cells}
    assert reasons.pop("invalid") == [f"bb {boot}: the clock ran on"]
    assert len(reasons) == len(cells) - 1 == 1  # the other side has its number


def time_virtually(report_: dict[str, Any], **factors: float) -> None:
    """Give a report throughput and latency in virtual time of each of its cells, too."""
    for metric in ("virtual", "virtual_p99"):
        timed = json.loads(json.dumps(report_["compares"][0])) | {"name": metric}
        for cell in timed["cells"]:
            cell["metric"] = metric
            for i, pair in enumerate(cell["pairs"]):
                for side in ("baseline", "candidate"):
                    pair[side] |= {"figure": (1e8 + 1e4 * i) * factors.get(metric, 1)}
        report_["compares"].append(timed)
    report_["matrix"]["margins"] |= {"virtual": 0.005, "latency": 0.02}


def test_virtual_time_is_compared_where_both_runs_have_it(runs: Any) -> None:
    a, b = runs("a", 1e8), runs("bb", 1e8)
    for report_ in (a, b):
        report_["provenance"] |= {"instrument": {"name": "insncount", "icount": "shift=0"}}
    time_virtually(a)
    time_virtually(b, virtual=0.99, virtual_p99=1.01)  # beyond the one margin, not the other
    made = two_runs.compare(a, b)
    found = verdicts(made)
    assert made["refused"] == []
    assert (found["virtual page/bar"], found["virtual_p99 page/bar"]) == ({"worse"}, {"equivalent"})
    titles = {one["title"] for one in made["compares"]}
    assert titles > {
        "page/bar, throughput in virtual time",
        "page/bar, p99 latency in virtual time",
    }
    b["compares"] = b["compares"][:1]  # as of a run whose boots had the host's time
    assert "virtual page/bar" not in verdicts(two_runs.compare(a, b))


def test_virtual_times_of_which_an_instruction_takes_another_time_do_not_mix() -> None:
    made = [
        {"instrument": {"name": "insncount", "api": 1, "icount": f"shift={shift},sleep=off"}}
        for shift in (0, 0, 2)
    ]
    for metric in ("virtual", "virtual_p50", "instructions"):
        assert comparable.differences(metric, "page", made[0], made[1]) == []
        (told,) = comparable.differences(metric, "page", made[0], made[2])
        assert "1 in virtual time (shift=0,sleep=off) in A" in told
        assert told.endswith("1 in virtual time (shift=2,sleep=off) in B")
    assert comparable.differences("throughput", "page", made[0], made[2]) == []


def test_counted_instructions_are_compared_and_fewer_are_better(runs: Any) -> None:
    a, b = runs("a", 1e8), runs("bb", 1e8)
    count(a, 1000.0), count(b, 980.0)
    found = verdicts(two_runs.compare(a, b))
    assert found["instructions page/bar"] == {"better"}


GCC_12 = "gcc (Debian 12.2.0-14) 12.2.0; GNU ld (GNU Binutils for Debian) 2.40"
GCC_14 = "gcc (Debian 14.2.0-19) 14.2.0; GNU ld (GNU Binutils for Debian) 2.44"


@pytest.fixture
def differing(runs: Any) -> Any:
    """A maker of two reports that counted and timed, with what of B's provenance is another."""

    def make(where: tuple[str, ...], value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        a, b = runs("a", 1e8), runs("bb", 1e8)
        for report_ in (a, b):
            count(report_, 1000.0)
            report_["provenance"] |= surroundings()
        part = b["provenance"]
        for key in where[:-1]:
            part = part[key]
        part[where[-1]] = value
        return a, b

    return make


def surroundings() -> dict[str, Any]:
    """What a run of the kernel `page` on Debian 12 writes down."""
    return {
        "variants": {
            "page": {
                "compiler": GCC_12,
                "config_sha256": "c0ffee",
                "patches": [],
                "fragments": [{"file": "base.config", "sha256": "9bc1b80ee607"}],
            }
        },
        "tools": {
            "qemu": "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)",
            "fio": "fio-3.33",
            "nvme": "nvme version 2.3 (git 2.3)",
        },
        "qemu": {"accelerator": "tcg", "shape": {"cpus": 2, "memory": 1 << 30}},
        "instrument": {"name": "insncount", "reason": "", "sha256": "b9f9", "api": 1},
    }


THROUGHPUT, COUNTS = "throughput of page (4 cells)", "instructions per I/O of page (4 cells)"
COMPILER, QEMU = ("variants", "page", "compiler"), ("tools", "qemu")
FRAGMENTS = ("variants", "page", "fragments")
QEMU_10 = "QEMU emulator version 10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)"
COUNTED_BY = "insncount by QEMU's plugin interface"


@pytest.mark.parametrize(
    "where, value, metrics, why",
    [
        (
            COMPILER,
            GCC_14,
            (THROUGHPUT, COUNTS),
            "compiler: gcc 12.2.0; GNU ld 2.40 in A, gcc 14.2.0; GNU ld 2.44 in B",
        ),
        (
            COMPILER,
            GCC_12.replace("-14)", "-15)"),
            (THROUGHPUT, COUNTS),
            f"compiler: {GCC_12} in A, {GCC_12.replace('-14)', '-15)')} in B",
        ),
        (
            QEMU,
            QEMU_10,
            (THROUGHPUT, COUNTS),
            "QEMU: QEMU emulator version 7.2.22 in A, QEMU emulator version 10.0.13 in B",
        ),
        (
            QEMU,
            "unknown (TimeoutExpired)",
            (THROUGHPUT, COUNTS),
            "QEMU: QEMU emulator version 7.2.22 in A, unknown in B",
        ),
        (
            ("tools",),
            {},
            (THROUGHPUT, COUNTS),
            "QEMU: QEMU emulator version 7.2.22 in A, unknown in B",
        ),
        (
            FRAGMENTS,
            [{"file": "base.config", "sha256": "21b5ba2e4da8"}],
            (THROUGHPUT, COUNTS),
            "configuration: base.config 9bc1b80e in A, base.config 21b5ba2e in B",
        ),
        (
            ("variants", "page", "cmdline"),
            "a=1",
            (THROUGHPUT, COUNTS),
            "kernel parameters: none in A, a=1 in B",
        ),
        (
            ("instrument", "api"),
            4,
            (COUNTS,),
            f"counted by: {COUNTED_BY} 1 in A, {COUNTED_BY} 4 in B",
        ),
        (
            ("instrument", "icount"),
            "shift=0,sleep=off",
            (COUNTS,),
            f"counted by: {COUNTED_BY} 1 in A, {COUNTED_BY} 1 in virtual time in B",
        ),
        (
            ("instrument", "name"),
            "perf stat",
            (COUNTS,),
            f"counted by: {COUNTED_BY} 1 in A, perf stat in B",
        ),
        (("tools", "fio"), "fio-3.39", (THROUGHPUT,), "fio: fio-3.33 in A, fio-3.39 in B"),
        (
            ("qemu", "shape", "cpus"),
            4,
            (THROUGHPUT,),
            "guest: cpus 2, memory 1.00 GiB in A, cpus 4, memory 1.00 GiB in B",
        ),
    ],
)
def test_a_metric_that_a_difference_decides_is_refused_and_the_others_are_compared(
    differing: Any, where: tuple[str, ...], value: Any, metrics: tuple[str, ...], why: str
) -> None:
    a, b = differing(where, value)
    refused = [f"{metric}, since the runs differ in what decides it: {why}" for metric in metrics]
    if len(metrics) == 2:
        with pytest.raises(BenchError, match="nothing of A, a, and B, bb, can be ") as raised:
            two_runs.compare(a, b)
        assert all(sentence in str(raised.value) for sentence in refused)
        return
    made = two_runs.compare(a, b)
    assert made["refused"] == refused
    left = "throughput" if metrics == (COUNTS,) else "instructions"
    assert verdicts(made) == {
        f"{left} page/host": {"equivalent"},
        f"{left} page/bar": {"equivalent"},
    }


@pytest.mark.parametrize(
    "where, value",
    [
        (("variants", "page", "patches"), [{"file": "0001-a.patch", "sha256": "ab"}]),
        (("variants", "page", "config_sha256"), "decaf"),  # patches add options
        (("variants", "pageless"), {"compiler": GCC_14}),  # of which A has no cell
        (("tools", "nvme"), "nvme version 2.13 (git 2.13)"),
        (("instrument", "sha256"), "d4e5"),
        (("instrument", "real_time"), "the QEMU of B does not take -icount"),
        (("host",), {"cpu": "another"}),
    ],
)
def test_what_decides_no_metric_refuses_none(
    differing: Any, where: tuple[str, ...], value: Any
) -> None:
    made = two_runs.compare(*differing(where, value))
    assert made["refused"] == [] and len(made["compares"]) == 4
    assert {"equivalent"} == {cell["verdict"] for one in made["compares"] for cell in one["cells"]}


def test_a_run_from_before_the_interface_was_recorded_counted_by_the_first(differing: Any) -> None:
    old, new = differing(("instrument", "api"), 1)
    del old["provenance"]["instrument"]["api"]
    assert two_runs.compare(old, new)["refused"] == []
    new["provenance"]["instrument"]["api"] = 4
    assert COUNTS in two_runs.compare(old, new)["refused"][0]


def test_only_the_variant_that_differs_is_refused(synthetic: Any, tmp_path: Path) -> None:
    made = []
    for name, compiler in (("a", GCC_12), ("bb", GCC_14)):
        run = synthetic({"stock/host": 1e8, "page/host": 1e8})
        run.header |= {
            "run": name,
            "seed": len(name),
            "provenance": {
                "variants": {"stock": {"compiler": GCC_12}, "page": {"compiler": compiler}}
            },
        }
        (tmp_path / name).mkdir()
        made.append(build.build(run.write(tmp_path / name)))
    found = two_runs.compare(*made)
    assert list(verdicts(found)) == ["throughput stock/host"]
    assert [text.split(",")[0] for text in found["refused"]] == ["throughput of page (1 cell)"]


def test_what_is_refused_stands_on_top_in_every_form_and_nothing_left_is_an_error(
    differing: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(two_runs, "RESULTS", tmp_path)
    a, b = differing(("tools", "fio"), "fio-3.39")
    for report_ in (a, b):
        (tmp_path / report_["run"] / "report.json").write_text(json.dumps(report_))
    told = f"Not compared: {THROUGHPUT}, since the runs differ in what decides it: fio: fio-3.33 "
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "bb")]) == 0
    assert " ".join(capsys.readouterr().out.split()).startswith(told)
    markdown = (tmp_path / "compare" / "a--bb.md").read_text()
    assert markdown.split("\n\n")[1].startswith(f"- **{told}")
    html = (tmp_path / "compare" / "a--bb.html").read_text()
    assert f"<li><strong>{told}" in html.split('aria-label="verdict"')[1]
    b["provenance"]["tools"]["qemu"] = QEMU_10
    (tmp_path / "bb" / "report.json").write_text(json.dumps(b))
    with pytest.raises(BenchError) as caught:
        main(["compare", str(tmp_path / "a"), str(tmp_path / "bb")])
    error = str(caught.value)
    assert error.startswith("nothing of A, a, and B, bb, can be compared: throughput of ")
    assert "\n" not in error and error.count("QEMU emulator version 10.0.13 in B") == 2


def test_the_published_kind_of_report_is_compared_with_itself_and_not_with_another_compilers() -> (
    None
):
    quick = report_file.read(Path(__file__).parents[1] / "data" / "quick")
    other = json.loads(json.dumps(quick)) | {"run": "another"}
    assert two_runs.compare(quick, other)["refused"] == []
    other["provenance"]["variants"]["pageless"]["compiler"] = GCC_14
    (refused,) = two_runs.compare(quick, other)["refused"]
    assert refused.startswith("throughput of pageless (")


def test_it_is_written_in_three_forms_and_says_what_differs(runs: Any, tmp_path: Path) -> None:
    a = runs("a", 1e8)
    b = runs(
        "bb", 0.9e8, provenance={"base": a["provenance"]["base"], "host": {"cpu": "another <cpu>"}}
    )
    html, markdown, data = two_runs.write(two_runs.compare(a, b), tmp_path / "compare")
    assert json.loads(data.read_text())["schema"] == "p2pbench-compare-1"
    assert "another <cpu>" in markdown.read_text()
    assert "another &lt;cpu&gt;" in html.read_text() and "<svg" in html.read_text()
    assert "2 worse" in html.read_text() and "2 worse" in markdown.read_text()


def test_the_command_compares_and_refuses(
    runs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(two_runs, "RESULTS", tmp_path)
    runs("a", 1e8), runs("bb", 0.9e8)
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "bb")]) == 0
    assert "bb against a: 4 cells compared: 2 worse" in capsys.readouterr().out
    assert "bb against a" in (tmp_path / "index.html").read_text()
    with pytest.raises(BenchError, match=r"name of a run or the path of its directory \(there: "):
        main(["compare", str(tmp_path / "a"), str(tmp_path / "none")])
    (tmp_path / "a" / "journal.jsonl").write_text("")
    (tmp_path / "a" / "report.json").unlink()
    with pytest.raises(BenchError, match=re.escape(f"(make report RUN={tmp_path / 'a'})")):
        main(["compare", str(tmp_path / "a"), str(tmp_path / "bb")])


def test_a_report_of_the_first_schema_is_read_and_one_of_the_future_refused_by_name(
    runs: Any, tmp_path: Path
) -> None:
    made = runs("a", 1e8)
    first = {
        key: value
        for key, value in made.items()
        if key not in ("verdict", "instructions", "memory", "static", "aa", "stopping")
    }
    file = tmp_path / "report.json"
    file.write_text(json.dumps(first | {"schema": "p2pbench-report-1"}))
    old = report_file.read(file)
    assert old["memory"] is None and old["verdict"][0].startswith("Peer memory (bar) against")
    file.write_text(json.dumps(made | {"schema": "p2pbench-report-9"}))
    with pytest.raises(BenchError, match='report.json: schema "p2pbench-report-9" is not known'):
        report_file.read(file)
    made["compares"][0]["cells"][0]["metric"] = "speed"
    file.write_text(json.dumps(made))
    with pytest.raises(BenchError, match='report.json: metric "speed" is not known here'):
        report_file.read(file)
    file.write_text(json.dumps(made | {"cells": 3}))
    with pytest.raises(BenchError, match="not what p2pbench-report-2 says at cells"):
        report_file.read(file)


def test_what_is_in_doubt_in_an_input_is_said_first_in_every_form(
    runs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(two_runs, "RESULTS", tmp_path)
    a, b = runs("a", 1e8), runs("bb", 0.9e8)
    itself = a["compares"][0] | {"cells": []}
    a["aa"] = {
        "cells": 8,
        "alarms": 1,
        "insn_spread": None,
        "compares": [itself],
        "headline": "A/A ALARM: 1 of 8 cells differ from themselves (page/bar)",
    }
    b |= {"ok": False, "problems": ["1 boot of the plan not run: b0", "b1 lost"]}
    for report_ in (a, b):
        (tmp_path / report_["run"] / "report.json").write_text(json.dumps(report_))
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "bb")]) == 0
    doubts = [
        "A, a, is in doubt: A/A ALARM: 1 of 8 cells differ from themselves (page/bar).",
        "B, bb, is in doubt: NOT WHOLE: 1 boot of the plan not run: b0; b1 lost.",
    ]
    out = capsys.readouterr().out
    assert " ".join(out.split()).startswith(" ".join(doubts))
    assert "B, bb: no A/A check" in out
    markdown = (tmp_path / "compare" / "a--bb.md").read_text()
    assert markdown.split("\n\n")[1].startswith(f"- **{doubts[0]}**\n- **{doubts[1]}**\n")
    html = (tmp_path / "compare" / "a--bb.html").read_text()
    verdict = html.split('aria-label="verdict"')[1]
    assert verdict.index(doubts[0]) < verdict.index(doubts[1]) < verdict.index("<strong>")
    made = json.loads((tmp_path / "compare" / "a--bb.json").read_text())
    assert [f"{doubt}." for doubt in made["doubts"]] == doubts
    assert made["a"]["aa"].startswith("A/A ALARM") and made["b"]["problems"] == b["problems"]


def test_inputs_without_a_doubt_say_what_their_aa_showed(synthetic: Any, tmp_path: Path) -> None:
    made = []
    for number, name in enumerate(("a", "bb")):
        run = synthetic({"page/host": 1e8, "page/bar": 1e8}, twice=True)
        run.header |= {"run": name, "seed": number}
        (tmp_path / name).mkdir()
        made.append(build.build(run.write(tmp_path / name)))
    found = two_runs.compare(*made)
    assert found["doubts"] == [] and found["a"]["aa"] == "A/A: no alarm in 2 cells"


def test_runs_too_small_for_any_difference_say_so_and_how_many_boots_it_takes(
    synthetic: Any, tmp_path: Path
) -> None:
    made = []
    for number, (name, speed) in enumerate((("a", 1e8), ("bb", 0.5e8))):
        run = synthetic({"page/host": 1e8, "page/bar": speed}, blocks=3, workloads=WORKLOADS)
        run.header |= {"run": name, "seed": number}
        (tmp_path / name).mkdir()
        made.append(build.build(run.write(tmp_path / name)))
    found = two_runs.compare(*made)
    # 4 cells: 2 / C(10, 5) = 1/126 is the first p that is small enough, 2 / C(8, 4) = 1/35 is not.
    assert found["too_few"] == (
        "3 and 3 boots cannot call any of 4 cells better or worse, which takes 5 in each run"
    )
    lost = {cell["blocks_needed"] for cell in found["compares"][1]["cells"]}
    assert verdicts(found)["throughput page/bar"] == {"inconclusive"}
    assert lost == {6}  # of which a bootstrap interval is made
    for path in two_runs.write(found, tmp_path / "compare"):
        assert "cannot call any of 4 cells" in path.read_text()
    assert "boots a run that" in (tmp_path / "compare" / "a--bb.md").read_text()


def test_runs_that_are_large_enough_do_not_speak_of_it(runs: Any) -> None:
    made = two_runs.compare(runs("a", 1e8), runs("bb", 0.9e8))
    assert made["too_few"] == ""
    assert {cell["blocks_needed"] for one in made["compares"] for cell in one["cells"]} == {None}

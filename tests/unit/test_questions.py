# SPDX-License-Identifier: GPL-2.0
"""What a run asks beside its [[compare]]: what it counted, and every A/A cell against itself."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from p2pbench.analysis.questions import environment_of, questions
from p2pbench.analysis.verdicts import compare_all
from p2pbench.plan.matrix_file import read_matrix
from p2pbench.records.kinds import FIO
from p2pbench.records.metrics import BY_COMPARE, FAMILIES, METRICS, Metric
from p2pbench.report import build

VARIANTS = ("stock", "page", "pageless")
# As many as p99.9 wants.
IOS = 5000


def counted(synthetic: Any, per_io: dict[str, float], blocks: int = 9) -> Any:
    """A run that counts a P2P workload on page and pageless, an ordinary one on all three."""
    run = synthetic({"page/bar": 1e8, "pageless/bar": 1e8}, blocks=blocks)
    matrix, plan = run.header["matrix"], run.header["plan"]
    matrix["margins"]["instructions"] = 0.005
    for kind, device, variants in (
        ("count", "bar", VARIANTS[1:]),
        ("ordinary", "null_blk", VARIANTS),
    ):
        matrix["workloads"].append(
            {
                "name": f"{kind}-read",
                "rw": "read",
                "bs": 4096,
                "iodepth": 1,
                "numjobs": 1,
                "verify": "",
                "kind": kind,
                "providers": ["count"],
                "device": device,
                "ios": IOS,
                "variants": list(variants),
            }
        )
    for block in range(blocks):
        for variant, again in (("pageless", ""), ("page", ""), ("stock", ""), ("page", "-aa")):
            planned = {
                "boot": f"b{block}-{variant}-count{again}",
                "block": block,
                "variant": variant,
                "provider": "count",
                "kind": "count",
                "aa": bool(again),
                "index": len(plan),
            }
            plan.append(planned)
            run.boots.append(_boot(run, planned, per_io[variant + again]))
    return run


def _boot(run: Any, planned: dict[str, Any], per_io: float) -> dict[str, Any]:
    like = run.boot("b0-page-bar")
    moved = IOS * 4096
    device = {"reads": IOS, "read_bytes": moved, "writes": 0, "write_bytes": 0}
    evidence = {
        "p2p": {"requests": IOS, "bytes": moved, "fallbacks": 0},
        "device": device,
        "pool": {"size": 99, "before": 99, "low": 9, "after": 99, "samples": 50},
    }
    counts = {
        "instrument": "insncount",
        "ios": IOS,
        "subsystems": {},
        "functions": [],
        "per_io": per_io * (1 + 0.0001 * planned["block"]),
        "reason": "",
    }
    results = [
        {
            "name": f"{kind}-read",
            "status": "ok",
            "error": None,
            "reasons": [],
            "metrics": None,
            "evidence": evidence,
            "counts": counts,
        }
        for kind in ("count", "ordinary")
        if kind == "ordinary" or planned["variant"] != "stock"
    ]
    return like | planned | {"workloads": results, "setup": None, "teardown": None}


COST = {"stock": 5000.0, "page": 5010.0, "page-aa": 5009.0, "pageless": 5110.0}


@pytest.fixture
def run(synthetic: Any) -> Any:
    return counted(synthetic, COST)


def test_counted_workloads_are_compared_without_being_asked_for(run: Any) -> None:
    asked = {
        (
            one.compare["name"],
            one.compare["baseline"]["variant"],
            one.compare["candidate"]["variant"],
            one.workload["name"],
            one.family,
        )
        for one in questions(run.header)
        if one.metric == "instructions"
    }
    assert asked == {
        ("instructions", "page", "pageless", "count-read", "instructions"),
        ("ordinary-page", "stock", "page", "ordinary-read", "instructions"),
        ("ordinary-pageless", "stock", "pageless", "ordinary-read", "instructions"),
        ("aa-instructions-page-count", "page", "page", "count-read", "aa-instructions"),
        ("aa-instructions-page-count", "page", "page", "ordinary-read", "aa-instructions"),
    }


def planned(tmp_path: Path, counts: str, icount: str | None = "shift=0,sleep=off") -> Any:
    """The header of a run of a matrix that counts; without icount, one that is only planned."""
    (tmp_path / "own.toml").write_text(MATRIX + counts)
    matrix = read_matrix(tmp_path / "own.toml")
    made: dict[str, Any] = {
        "matrix": matrix.as_json(),
        "environment_class": "qemu-tcg",
        "plan": [vars(boot) for boot in matrix.plan(1)],
    }
    return made if icount is None else made | {"provenance": {"instrument": {"icount": icount}}}


MATRIX = """\
blocks = 1
[[boots]]
variant = "page"
providers = "host"
[[workloads]]
rw = "randread"
bs = "4k"
runtime = "1s"
[[counts]]
rw = "randread"
bs = "4k"
"""
TWO = 'variants = ["page", "pageless"]\nios = 100\n'


@pytest.mark.parametrize(
    "ios, metrics",
    [
        (31, []),
        (32, ["virtual", "p50"]),
        (499, ["virtual", "p50"]),
        (500, ["virtual", "p50", "p99"]),
        (4999, ["virtual", "p50", "p99"]),
        (5000, ["virtual", "p50", "p99", "p999"]),
    ],
)
def test_a_percentile_is_asked_of_ios_enough_for_it(
    tmp_path: Path, ios: int, metrics: list[str]
) -> None:
    header = planned(tmp_path, TWO.replace("100", str(ios)))
    asked = [one for one in questions(header) if METRICS[one.metric].kind == "count"]
    for second in (False, True):
        assert [
            one.metric.removeprefix("virtual_")
            for one in asked
            if one.second == second and one.metric != "instructions"
        ] == metrics
    assert sum(one.metric == "instructions" for one in asked) == 2


@pytest.mark.parametrize(
    "counts, names",
    [
        (TWO, {"bar": "peer memory in a PCI BAR"}),
        (
            TWO + 'providers = ["host", "bar", "cmb"]\n',
            {
                "host": "host memory",
                "bar": "peer memory in a PCI BAR",
                "cmb": "peer memory in the NVMe CMB",
            },
        ),
        (
            TWO + 'providers = ["bar", "cmb"]\ncmb_sqes = true\n',
            {
                "bar-sqes": "peer memory in a PCI BAR, queues in the CMB",
                "cmb-sqes": "peer memory in the NVMe CMB, queues in the CMB",
            },
        ),
    ],
)
def test_each_kind_of_memory_is_asked_about_by_a_name_of_its_own(
    tmp_path: Path, counts: str, names: dict[str, str]
) -> None:
    asked = [one.compare for one in questions(planned(tmp_path, counts)) if not one.second]
    titles = {one["name"]: one["title"] for one in asked if not one["name"].startswith("instr")}
    assert list(titles.items()) == [
        (f"{family}-{name}", f"{what} in virtual time, pageless against page, {memory}")
        for family, what in (("virtual", "throughput"), ("latency", "latency"))
        for name, memory in names.items()
    ]


def test_each_candidate_is_held_against_the_first_variant(tmp_path: Path) -> None:
    counts = TWO.replace('"pageless"', '"pageless", "planted"')
    asked = {
        one.compare["name"]: one.compare
        for one in questions(planned(tmp_path, counts))
        if one.metric == "virtual" and not one.second
    }
    assert {
        name: (one["baseline"]["variant"], one["candidate"]["variant"])
        for name, one in asked.items()
    } == {"virtual-bar-pageless": ("page", "pageless"), "virtual-bar-planted": ("page", "planted")}


def test_what_is_timed_in_virtual_time_is_timed_against_itself_too(tmp_path: Path) -> None:
    header = planned(tmp_path, TWO + 'providers = ["bar", "cmb"]\ncmb_sqes = [false, true]\n')
    second = [one for one in questions(header) if one.second]
    assert {(one.compare["name"], one.family) for one in second} == {
        (f"aa-{family}-page-count{sqes}", f"aa-{family}")
        for family in ("virtual", "latency", "instructions")
        for sqes in ("", "+sqes")
    }
    assert all(one.compare["baseline"] == one.compare["candidate"] for one in second)
    assert sum(one.metric == "virtual" for one in second) == 4


def test_a_run_without_virtual_time_does_not_ask_about_it_but_its_plan_did(tmp_path: Path) -> None:
    families = [
        {one.family for one in questions(planned(tmp_path, TWO, icount))} for icount in ("", None)
    ]
    counted = {"instructions", "aa-instructions"}
    timed = {"virtual", "aa-virtual", "latency", "aa-latency"}
    assert families == [counted, counted | timed]


def test_the_machine_of_what_is_counted_in_virtual_time_is_of_another_class(tmp_path: Path) -> None:
    with_it, without = planned(tmp_path, TWO), planned(tmp_path, TWO, icount="")
    assert [
        environment_of(with_it, metric)
        for metric in ("virtual", "virtual_p99", "instructions", "throughput")
    ] == ["qemu-tcg-icount"] * 3 + ["qemu-tcg"]
    assert environment_of(without, "instructions") == "qemu-tcg"


def test_more_instructions_are_worse_and_fewer_are_better(synthetic: Any) -> None:
    run = counted(synthetic, COST | {"stock": 6000.0})
    found = {
        one.question.compare["name"]: one
        for one in compare_all(run.header, run.boots)
        if not one.question.second
    }
    assert found["instructions"].verdict == "worse"
    assert found["instructions"].ratio == pytest.approx(5110 / 5010)
    assert found["ordinary-page"].verdict == found["ordinary-pageless"].verdict == "better"


def test_the_margin_of_instructions_is_its_own(run: Any, tmp_path: Path) -> None:
    run.write(tmp_path)
    made = build.write(tmp_path)
    cells = {one["name"]: one["cells"][0] for one in made["compares"]}
    assert cells["ordinary-page"]["verdict"] == "equivalent"  # 0.2 % of 0.5 %
    assert cells["ordinary-pageless"]["verdict"] == "worse"  # 2.2 %
    assert cells["p2p-bar"]["margin"] == 0.02 and cells["instructions"]["margin"] == 0.005
    assert cells["instructions"]["pairs"][0]["candidate"]["per_io"] == 5110
    assert "1 worse (worst: ordinary read +2.2 %" in made["compares"][-1]["headline"]


def test_a_count_that_is_absent_is_a_gap_with_its_reason(run: Any) -> None:
    result = run.result("b2-pageless-count", "count-read")
    result["counts"] |= {"per_io": None, "reason": "the plugin did not load"}
    (found,) = (
        one
        for one in compare_all(run.header, run.boots)
        if one.question.compare["name"] == "instructions"
    )
    assert len(found.pairs) == 8
    assert (found.missing[0].boot, found.missing[0].reason) == (
        "b2-pageless-count",
        "the plugin did not load",
    )


def test_a_count_without_its_evidence_is_invalid(run: Any) -> None:
    run.result("b2-pageless-count", "count-read")["evidence"] = {
        "p2p": {"requests": 0, "bytes": 0, "fallbacks": 1000},
        "pool": None,
        "device": {"reads": 1000, "read_bytes": 4096000, "writes": 0, "write_bytes": 0},
    }
    (found,) = (
        one
        for one in compare_all(run.header, run.boots)
        if one.question.compare["name"] == "instructions"
    )
    assert found.verdict == "invalid" and found.ratio is None


def test_every_report_with_a_second_boot_says_what_its_aa_showed(run: Any, tmp_path: Path) -> None:
    made = build.build(run.write(tmp_path))
    assert (made["aa"]["cells"], made["aa"]["alarms"]) == (2, 0)
    assert made["aa"]["insn_spread"] == pytest.approx(1 / 5010)
    assert made["notes"] == [] and made["aa"]["headline"] == "A/A: no alarm in 2 cells"
    assert {cell["verdict"] for one in made["aa"]["compares"] for cell in one["cells"]} == {
        "equivalent"
    }


def test_aa_cells_that_an_absent_instrument_left_empty_are_not_counted(
    run: Any, tmp_path: Path
) -> None:
    for boot in run.boots:
        for result in boot["workloads"]:
            if result.get("counts"):
                result["counts"] |= {"per_io": None, "reason": "the plugin did not load"}
    made = build.build(run.write(tmp_path))
    assert (made["aa"]["cells"], made["aa"]["without_pairs"], made["aa"]["alarms"]) == (0, 2, 0)
    assert made["aa"]["headline"] == (
        "A/A: nothing was compared: 2 cells of instructions per I/O have no pair"
    )


def test_an_aa_alarm_stands_on_top_of_the_report_and_is_no_failure(
    synthetic: Any, tmp_path: Path
) -> None:
    run = counted(synthetic, COST | {"page-aa": 5110.0})
    run.write(tmp_path)
    made = build.write(tmp_path)
    assert (made["aa"]["cells"], made["aa"]["alarms"]) == (2, 2)
    assert build.exit_status(made) == 0
    out = io.StringIO()
    build.render_terminal(made, Console(file=out, width=200))
    assert out.getvalue().startswith("A/A ALARM: 2 of 2 cells differ from themselves")
    assert "A/A ALARM" in "".join((tmp_path / "report.md").read_text().split("## ")[0])


def test_an_aa_cell_is_no_cell_of_the_family_that_holm_corrects(synthetic: Any) -> None:
    alone = synthetic({"page/host": 1e8, "page/bar": 0.9e8}, noise=0.01)
    twice = synthetic({"page/host": 1e8, "page/bar": 0.9e8}, noise=0.01, twice=True)
    for boot in alone.boots:
        twice.result(boot["boot"]).update(boot["workloads"][0])
    (one,) = compare_all(alone.header, alone.boots)
    (same,) = (c for c in compare_all(twice.header, twice.boots) if not c.question.second)
    assert (one.p, one.p_holm, one.verdict) == (same.p, same.p_holm, same.verdict)
    assert len(same.pairs) == 8


def test_holm_takes_all_cells_of_the_report_together(synthetic: Any) -> None:
    names = tuple(f"randread-{size}k-qd1" for size in (4, 8, 16, 32))
    run = synthetic({"page/host": 1e8, "page/bar": 0.9e8}, noise=0.01, blocks=6, workloads=names)
    found = compare_all(run.header, run.boots)
    assert {one.p for one in found} == {2 / 64}
    assert {one.p_holm for one in found} == {4 * 2 / 64}
    assert {one.verdict for one in found} == {"inconclusive"}
    assert {one.blocks_needed for one in found} == {8}
    eight = synthetic({"page/host": 1e8, "page/bar": 0.9e8}, noise=0.01, workloads=names)
    assert {one.verdict for one in compare_all(eight.header, eight.boots)} == {"worse"}


def test_what_is_counted_twice_alarms_in_few_blocks_too(synthetic: Any, tmp_path: Path) -> None:
    """With a p that Holm lets pass, four blocks could never raise an alarm."""
    for more, alarms in ((1.004, 0), (1.02, 2)):
        run = counted(synthetic, COST | {"page-aa": 5010.0 * more}, blocks=4)
        directory = tmp_path / str(more)
        directory.mkdir()
        made = build.build(run.write(directory))
        assert (made["aa"]["cells"], made["aa"]["alarms"]) == (2, alarms)
        assert made["aa"]["headline"].startswith("A/A ALARM") == bool(alarms)


def in_virtual_time(run: Any, ns_per_io: dict[str, int]) -> Any:
    """The same run, its count boots in virtual time: of each variant what an I/O takes."""
    run.header["provenance"]["instrument"] = {"name": "insncount", "icount": "shift=0,sleep=off"}
    for boot in run.boots:
        ns = ns_per_io.get(boot["variant"] + "-aa" * boot["aa"], 0)
        for result in boot["workloads"]:
            if result.get("counts"):
                total = IOS * ns + 10 * boot["block"]
                result["counts"] |= {"total": total}
                result["virtual"] = {
                    "duration_ns": total,
                    "bytes": IOS * 4096,
                    "latency_ns": {"p50": ns, "p99": 2 * ns, "p999": 3 * ns, "max": 4 * ns},
                }
    return run


TIMES = {"stock": 90_000, "page": 90_000, "page-aa": 90_010, "pageless": 91_000}


def test_in_virtual_time_more_bytes_are_better_and_less_latency(run: Any, tmp_path: Path) -> None:
    in_virtual_time(run, TIMES).write(tmp_path)
    made = build.write(tmp_path)
    compares = {one["name"]: one["cells"] for one in made["compares"]}
    assert list(compares)[:3] == ["virtual-bar", "latency-bar", "p2p-bar"]
    (cell,) = compares["virtual-bar"]
    assert (cell["verdict"], cell["margin"], cell["environment_class"], cell["device"]) == (
        "worse",
        0.005,
        "qemu-tcg-icount",
        "bar",
    )
    assert cell["ratio"] == pytest.approx(90 / 91, rel=1e-6)
    assert cell["pairs"][0]["candidate"]["figure"] == pytest.approx(4096 / 91e-6)
    # 1.1 % more is inside the margin of latency.
    assert [(one["metric"], one["verdict"], one["margin"]) for one in compares["latency-bar"]] == [
        (f"virtual_{name}", "equivalent", 0.02) for name in ("p50", "p99", "p999")
    ]
    assert [one["pairs"][0]["candidate"]["figure"] for one in compares["latency-bar"]] == [
        91_000,
        182_000,
        273_000,
    ]
    assert made["verdict"][0].startswith(
        "In virtual time, pageless costs throughput through peer memory in 1 of 1"
    )
    assert made["aa"]["cells"] == 2 + 1 + 3 and made["aa"]["alarms"] == 0


def test_a_longer_tail_alone_is_worse(run: Any, tmp_path: Path) -> None:
    in_virtual_time(run, TIMES | {"pageless": 90_000})
    for boot in run.boots:
        if boot["variant"] == "pageless" and boot["kind"] == "count":
            for name in ("p999", "max"):
                boot["workloads"][0]["virtual"]["latency_ns"][name] *= 2
    run.write(tmp_path)
    verdict, *_ = build.write(tmp_path)["verdict"]
    assert (
        "against page, equivalent within 0.5 % in the only case; latency (p50, p99, p99.9): of "
        "3 cases 1 worse (worst: read p99.9 +100 % ["
    ) in verdict


def test_one_boot_whose_clock_ran_on_leaves_its_cell_without_a_number(
    run: Any, tmp_path: Path
) -> None:
    in_virtual_time(run, TIMES)
    run.result("b2-pageless-count", "count-read")["virtual"]["duration_ns"] += 273 * IOS
    made = build.build(run.write(tmp_path))
    (cell,) = made["compares"][0]["cells"]
    assert cell["verdict"] == "invalid" and cell["ratio"] is None
    assert cell["reasons"][0].startswith("b2-pageless-count: virtual time: the guest's clock went")
    assert made["verdict"][0].startswith("NOT WHOLE") and "it is open whether" in made["verdict"][1]


def test_an_alarm_says_of_which_metric_it_is(run: Any, tmp_path: Path) -> None:
    in_virtual_time(run, TIMES | {"page-aa": 92_000})
    made = build.build(run.write(tmp_path))
    assert (
        "throughput in virtual time of page/count count-read worse, p50 latency in virtual "
        "time of page/count count-read worse, "
    ) in made["aa"]["headline"]


def test_a_run_of_one_kernel_against_itself_alone_has_a_report(
    synthetic: Any, tmp_path: Path
) -> None:
    run = synthetic({"page/bar": 1e8}, noise=0.01, twice=True)
    run.header["matrix"]["compare"] = []
    made = build.build(run.write(tmp_path))
    assert made["aa"]["cells"] == 1 and "better or worse" in made["stopping"]["rates"]


def test_a_metric_is_one_row(synthetic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row alone has it asked, answered with its own margin and direction, and reported."""
    row = Metric(
        name="tail",
        shown="p99 latency by the clock",
        less_is_better=True,
        kind=FIO,
        asked=BY_COMPARE,
        margin=0.03,
        family="tail",
        figure="ns",
        value=lambda result: result["metrics"]["lat_p99_ns"],
    )
    monkeypatch.setitem(METRICS, row.name, row)
    monkeypatch.setitem(FAMILIES, row.family, row.shown)
    run = synthetic({"page/host": 1e8, "page/bar": 1e8})
    for boot in run.boots:
        slower = 1.5 if boot["provider"] == "bar" else 1.0
        boot["workloads"][0]["metrics"]["lat_p99_ns"] = slower * (1000 + boot["block"])
    throughput, tail = compare_all(run.header, run.boots)
    assert (throughput.question.metric, throughput.verdict) == ("throughput", "equivalent")
    assert (tail.question.metric, tail.margin, tail.verdict) == ("tail", 0.03, "worse")
    cell = build.compared(tail.question.compare, [tail])["cells"][0]
    assert cell["pairs"][0]["candidate"]["ns"] == 1500

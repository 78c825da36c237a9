# SPDX-License-Identifier: GPL-2.0
"""The report's section of instructions: medians by variant, the functions that differ first."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from p2pbench.analysis import instructions
from p2pbench.linux.symbols import Function
from p2pbench.records import kinds
from p2pbench.report import wording
from p2pbench.report.plots import all_plots
from p2pbench.testbed import instruments

WORK = {
    "name": "nvme-read-4k-merge-mq-deadline",
    "rw": "read",
    "bs": 4096,
    "iodepth": 16,
    "numjobs": 1,
    "verify": "",
    "kind": "ordinary",
    "providers": ["count"],
    "device": "nvme",
    "scheduler": "mq-deadline",
    "variants": ["stock", "page"],
    "ios": 10,
}
EVIDENCE = {
    "p2p": None,
    "pool": None,
    "device": {"reads": 10, "read_bytes": 40960, "writes": 0, "write_bytes": 0},
}


def header(kind: str = "count") -> Any:
    return {
        "matrix": {"workloads": [WORK]},
        "provenance": {"symbols": []},
        "plan": [{"boot": "b0-page-count", "kind": kind}],
    }


def counts(**functions: float) -> dict[str, Any]:
    rows = [
        {
            "function": name.replace("_cold", ".cold"),
            "object": "block/bio.o",
            "subsystem": "block",
            "per_io": value,
        }
        for name, value in functions.items()
    ]
    return {
        "instrument": "insncount",
        "ios": 10,
        "per_io": sum(functions.values()),
        "subsystems": {"block": sum(functions.values()), "other": 5.0},
        "functions": rows,
        "reason": "",
    }


def boot(
    variant: str,
    found: dict[str, Any] | None,
    status: str = "ok",
    kind: str = "count",
    boot_s: float | None = 4.0,
    **more: Any,
) -> Any:
    result = {
        "name": WORK["name"],
        "status": status,
        "error": None,
        "reasons": [] if status == "ok" else ["why"],
        "metrics": None,
        "evidence": EVIDENCE,
        "counts": found,
    }
    return {
        "boot": f"b0-{variant}-{kind}",
        "variant": variant,
        "provider": kind,
        "kind": kind,
        "boot_s": boot_s,
        "workloads": [result | more],
    }


def test_figures_are_medians_and_a_function_that_was_cut_in_two_counts_as_one() -> None:
    boots = [
        boot("stock", counts(a=100, b=50)),
        boot("page", counts(a=101, b=40, b_cold=4)),
        boot("page", counts(a=103, b=40, b_cold=4)),
        boot("page", counts(a=110, b=44)),
    ]
    section = instructions.section(header(), boots)
    assert section
    (cell,) = section["cells"]
    assert cell["path"] == "nvme read 4k merge mq-deadline"
    assert (cell["baseline"], cell["candidates"]) == ("stock", ["page"])
    page = cell["variants"]["page"]
    assert (page["n"], page["min"], page["per_io"], page["max"]) == (3, 145, 147, 154)
    assert page["subsystems"] == {"block": 147, "other": 5}
    assert [(row["function"], row["difference"]) for row in cell["functions"]] == [
        ("b", {"page": -6}),
        ("a", {"page": 3}),
    ]


def test_functions_that_are_not_listed_are_numbered_and_the_rows_add_up_to_the_path() -> None:
    found = {f"f{i}": float(100 + i) for i in range(instructions.MOST_FUNCTIONS + 5)}
    changed = {name: value * 1.01 for name, value in found.items()}
    section = instructions.section(
        header(), [boot("stock", counts(**found)), boot("page", counts(**changed))]
    )
    assert section
    (cell,) = section["cells"]
    assert (len(cell["functions"]), cell["others"]) == (instructions.MOST_FUNCTIONS, 5)
    (table,) = all_plots.functions([cell])
    assert table["others"]["name"] == "35 others"
    for variant in ("stock", "page"):
        rows = [row["per_io"][variant] for row in [*table["functions"], table["others"]]]
        assert sum(rows) == pytest.approx(cell["variants"][variant]["per_io"])
    rows = [row["difference"]["page"] for row in [*table["functions"], table["others"]]]
    assert sum(rows) == pytest.approx(sum(found.values()) * 0.01)


def test_a_function_that_one_build_has_and_did_not_run_is_marked() -> None:
    """Its symbol is there, so no list of symbols tells that the compiler inlined it."""
    boots = [
        boot("stock", counts(kept=8, gone=8, renamed=8, small=0.5, both=8)),
        boot("page", counts(caller=24, both=9)),
    ]
    made = header()
    made["provenance"]["symbols"] = [
        {
            "function": name,
            "object": "block/bio.o",
            "subsystem": "block",
            "in": ["stock"],
            "absent": ["page"],
            "as": found,
        }
        for name, found in (("gone", {}), ("renamed", {"page": ["renamed.isra.0"]}))
    ]
    section = instructions.section(made, boots)
    assert section
    (cell,) = section["cells"]
    assert {row["function"]: row["unseen"] for row in cell["functions"]} == {
        "kept": ["page"],
        "gone": [],
        "renamed": ["page"],
        "small": [],
        "both": [],
        "caller": ["stock"],
    }


def test_what_failed_or_is_invalid_does_not_count_but_is_told() -> None:
    boots = [boot("stock", counts(a=100)), boot("page", counts(a=900), status="invalid")]
    section = instructions.section(header(), boots)
    assert section
    assert list(section["cells"][0]["variants"]) == ["stock"]
    assert section["problems"] == ["b0-page-count nvme-read-4k-merge-mq-deadline: invalid: why"]


def test_no_figure_rests_on_the_word_of_a_run_alone() -> None:
    """Called ok, but the disk's counters say that it did more than the workload."""
    device = {"reads": 99, "read_bytes": 405504, "writes": 0, "write_bytes": 0}
    boots = [
        boot("stock", counts(a=100)),
        boot("page", counts(a=90), evidence=EVIDENCE | {"device": device}),
    ]
    section = instructions.section(header(), boots)
    assert section
    assert list(section["cells"][0]["variants"]) == ["stock"]
    assert section["problems"] == [
        "b0-page-count nvme-read-4k-merge-mq-deadline: invalid: the "
        "disk moved 405504 bytes, the workload 40960: others use it, "
        "too"
    ]


def test_an_absent_instrument_is_said_with_its_reason() -> None:
    section = instructions.section(header(), [boot("page", instruments.absent("", "QEMU 5: no"))])
    assert section
    assert (section["instrument"], section["absent"], section["cells"]) == ("", "QEMU 5: no", [])


def test_what_the_plugin_costs_a_guest_is_told_from_boots_of_the_same_kernels() -> None:
    counted = [boot("page", counts(a=100), boot_s=one) for one in (4.0, 5.0, 6.0)]
    plain = [boot("page", None, kind="fio", boot_s=one) for one in (3.0, 4.0, 5.0)]
    others = [
        boot("stock", counts(a=100), boot_s=90.0),
        boot("page", None, boot_s=None),
        boot("page", None, kind="memory", boot_s=80.0),
    ]
    section = instructions.section(header(), [*counted, *plain, *others])
    assert section
    assert section["boot_s"] == {"counted": 5.0, "plain": 4.0}
    assert wording.slowdown(section) == (
        "A boot with the plugin, and one CPU, takes 5.0 s to a ready agent, one without it 4.0 s "
        "(medians): 1.25 times as long."
    )
    assert wording.slowdown(section | {"instrument": kinds.PERF}) == ""
    alone = instructions.section(header(), counted)
    assert alone and alone["boot_s"] is None and wording.slowdown(alone) == ""


def test_a_run_that_counts_nothing_has_no_section() -> None:
    assert instructions.section(header("fio"), []) is None


def test_the_paths_sum_leaves_out_what_belongs_to_no_subsystem() -> None:
    functions = {
        1: Function(1, "bio_init", "block/bio.o", "block"),
        2: Function(2, "schedule", "kernel/sched/core.o", "other"),
        3: Function(3, "_end", "other", "other"),
    }
    found = instruments.by_function({0: 7000, 1: 100, 2: 50, 3: 9000}, functions, 10)
    assert found["per_io"] == 10
    assert found["subsystems"] == {"block": 10, "other": 5}
    assert found["total"] == 7000 + 100 + 50 + 9000
    # They are listed all the same: in virtual time they may explain a difference.
    assert [row["function"] for row in found["functions"]] == [
        "modules and generated code",
        "user space",
        "bio_init",
        "schedule",
    ]
    section = instructions.section(header(), [boot("stock", found), boot("page", found)])
    assert section
    assert [row["function"] for row in section["cells"][0]["functions"]] == ["bio_init"]


def test_in_virtual_time_the_guest_waits_where_its_driver_tells_the_disk_what_to_do(
    tmp_path: Path,
) -> None:
    functions = [
        Function(0x10, "bio_init", "block/bio.o", "block"),
        Function(0x20, "nvme_queue_rq", "drivers/nvme/host/pci.o", "nvme"),
        Function(0xF0, "_end", "other", "other"),
    ]
    plugin = instruments.Instrument("insncount", tmp_path / "plugin.so")
    counters = [
        instruments.Counter(one, "page", functions, tmp_path / "boot")
        for one in (replace(plugin, icount="shift=0,sleep=off"), plugin)
    ]
    assert counters[0].argument == f"{counters[1].argument},sync=20:f0"


def test_what_was_counted_of_a_workload_that_failed_is_passed_over(tmp_path: Path) -> None:
    """The agent comes to its end mark even where the I/O failed."""
    plugin = instruments.Instrument("insncount", tmp_path / "plugin.so")
    counter = instruments.Counter(
        plugin,
        "page",
        [Function(0x10, "bio_init", "block/bio.o", "block")],
        tmp_path / "b0-page-count",
    )
    out = tmp_path / "b0-page-count" / "insncount.txt"
    counter.skip()  # failed before it had begun
    out.write_text("section 1\n10 999\nend 1\n")
    counter.skip()
    with out.open("a") as stream:
        stream.write("section 2\n10 100\nend 2\n")
    assert counter.counts({"ios": 10})["per_io"] == 10

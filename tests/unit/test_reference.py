# SPDX-License-Identifier: GPL-2.0
"""What is published of a run, and the list of the runs."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import samples
from p2pbench.base.errors import BenchError
from p2pbench.base.paths import RESULTS, cache_dir, published
from p2pbench.base.schema import validator
from p2pbench.report import index, publish, report_file


@pytest.fixture
def whole() -> dict[str, Any]:
    """A report with every section."""
    return samples.whole(samples.quick())


def test_the_summary_has_exactly_these_keys(whole: dict[str, Any]) -> None:
    made = publish.summary(whole)
    assert list(made) == [
        "schema",
        "environment_class",
        "base",
        "cells",
        "aa",
        "memory",
        "ordinary",
        "series",
    ]
    assert list(made["cells"][0]) == [
        "provider",
        "rw",
        "bs",
        "iodepth",
        "metric",
        "page",
        "pageless",
        "ratio",
        "ci",
        "verdict",
        "evidence",
    ]
    assert list(made["cells"][0]["evidence"]) == ["p2p_requests", "fallbacks"]
    assert list(made["aa"]) == ["cells", "alarms", "insn_spread"]
    assert list(made["memory"][0]) == [
        "variant",
        "bar_bytes",
        "overhead_bytes",
        "register_ns",
        "remove_ns",
        "device_zone_pages",
    ]
    assert list(made["ordinary"][0]) == ["path", "variant", "insn_per_io", "ratio_to_stock"]
    assert list(made["series"]) == ["patches", "insertions", "deletions"]


def test_a_command_in_a_result_names_no_directory_of_the_machine() -> None:
    command = f"-plugin {cache_dir()}/plugins/a.so,out={RESULTS}/run/raw/b0/counts.txt"
    assert (
        published(command) == "-plugin $P2PBENCH_CACHE/plugins/a.so,out=results/run/raw/b0/"
        "counts.txt"
    )


def test_the_figures_are_those_of_the_report(whole: dict[str, Any]) -> None:
    made = publish.summary(whole)
    bar = whole["compares"][0]["cells"][0]
    cell = made["cells"][0]
    assert (cell["provider"], cell["ratio"], cell["verdict"]) == (
        "bar",
        bar["ratio"],
        bar["verdict"],
    )
    assert cell["ci"] == [bar["interval"]["low"], bar["interval"]["high"]]
    assert cell["page"] == sorted(p["baseline"]["bytes_per_s"] for p in bar["pairs"])[1]
    requests = [
        one["evidence"]["requests"]
        for one in whole["cells"]
        if one["provider"] == "bar" and one["workload"] == bar["workload"]
    ]
    assert cell["evidence"] == {"p2p_requests": sum(requests), "fallbacks": 0}
    assert {one["provider"] for one in made["cells"]} == {"bar", "cmb", "host"}
    stock = [row for row in made["ordinary"] if row["variant"] == "stock"]
    assert len(stock) == 8 and {row["ratio_to_stock"] for row in stock} == {1.0}
    assert made["series"] == {"patches": 32, "insertions": 1620, "deletions": 1388}


def test_what_was_timed_in_virtual_time_is_published_with_its_figures(
    whole: dict[str, Any]
) -> None:
    cells = {
        one["metric"]: one
        for one in publish.summary(whole)["cells"]
        if one["provider"] == "bar" and one["bs"] == 131072 and "virtual" in one["metric"]
    }
    assert set(cells) == {"virtual", "virtual_p50", "virtual_p99"}
    assert (cells["virtual"]["page"], cells["virtual"]["pageless"]) == (1e6, 993400)
    assert cells["virtual"]["evidence"] == {"p2p_requests": 9000, "fallbacks": 0}


def test_the_ratio_is_that_of_the_pairs_and_the_schema_says_so(whole: dict[str, Any]) -> None:
    compare = next(one for one in whole["compares"] if publish._is_published(one))
    pairs, ratios = compare["cells"][0]["pairs"], (0.5, 1.0, 4.0)
    for pair, base, ratio in zip(pairs, (8.0, 1.0, 2.0), ratios):
        pair["baseline"]["bytes_per_s"], pair["candidate"]["bytes_per_s"] = base, base * ratio
    compare["cells"][0]["ratio"] = 1.0
    cell = publish.summary(whole)["cells"][0]
    assert len(pairs) == 3 and (cell["page"], cell["pageless"], cell["ratio"]) == (2.0, 4.0, 1.0)
    schema = json.loads(publish.SCHEMA_FILE.read_text())
    assert "not the quotient of those two medians" in schema["description"]


def test_what_was_not_measured_is_null(whole: dict[str, Any]) -> None:
    bare = whole | dict.fromkeys(("aa", "memory", "instructions", "static"))
    made = publish.summary(bare)
    assert [made[key] for key in ("aa", "memory", "ordinary", "series")] == [None] * 4


def test_the_schema_refuses_a_key_too_many(whole: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(publish.SCHEMA_FILE.read_text()))
    made = publish.summary(whole)
    made["cells"][0]["note"] = ""
    with pytest.raises(jsonschema.ValidationError):
        validator(publish.SCHEMA_FILE).validate(made)


def test_what_is_counted_has_the_provider_and_the_evidence_of_its_path(
    whole: dict[str, Any]
) -> None:
    cell = whole["instructions"]["cells"][0]
    cell |= {
        "workload": "count-bar-randread-4k-qd1",
        "device": "bar",
        "evidence": {"requests": 4500, "fallbacks": 0},
    }
    compare = whole["compares"][0]
    sides = {
        side: {"variant": variant, "provider": "count"}
        for side, variant in (("baseline", "page"), ("candidate", "pageless"))
    }
    counted = [compare["cells"][0] | {"workload": cell["workload"], "metric": "instructions"}]
    made = publish.summary(whole | {"compares": [compare | sides | {"cells": counted}]})
    assert [one["provider"] for one in made["cells"]] == ["bar"]
    assert made["cells"][0]["evidence"] == {"p2p_requests": 4500, "fallbacks": 0}


def test_a_run_is_published_without_its_raw_output(tmp_path: Path, whole: dict[str, Any]) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "report.json").write_text(json.dumps(whole))
    (run / "journal.jsonl").write_text("{}\n")
    (run / "raw").mkdir()
    publish.publish(run, tmp_path / "6.1")
    assert sorted(path.name for path in (tmp_path / "6.1").iterdir()) == [
        "memory.svg",
        "report.html",
        "report.json",
        "report.md",
        "summary.json",
    ]
    assert report_file.read(tmp_path / "6.1") == whole


def test_the_plot_of_the_readme_is_a_file_that_brings_its_colours(
    tmp_path: Path, whole: dict[str, Any]
) -> None:
    (tmp_path / "report.json").write_text(json.dumps(whole))
    publish.publish(tmp_path, tmp_path / "6.1")
    text = (tmp_path / "6.1" / "memory.svg").read_text()
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    used, defined = (set(re.findall(pattern, text)) for pattern in (r"var\((--\w+)\)", r"(--\w+):"))
    assert used and used <= defined


def test_a_run_with_problems_is_no_reference(tmp_path: Path, whole: dict[str, Any]) -> None:
    (tmp_path / "report.json").write_text(
        json.dumps(whole | {"ok": False, "problems": ["1 boot of the plan not run: b0"]})
    )
    with pytest.raises(BenchError, match="is no reference: 1 boot"):
        publish.publish(tmp_path, tmp_path / "6.1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda report: report.update(aa=None), "has no A/A check"),
        (lambda report: report["aa"].update(cells=0, headline="A/A: nothing was"), "nothing was"),
        (
            lambda report: report["aa"].update(alarms=1, headline="A/A ALARM: 1 of 8"),
            "ALARM: 1 of 8",
        ),
        (
            lambda report: report["provenance"].update(
                repository={"commit": "1234", "dirty": True}
            ),
            "changes that no commit has",
        ),
        (
            lambda report: report["provenance"].update(
                repository={"commit": "unknown", "dirty": False}
            ),
            "outside git",
        ),
    ],
)
def test_what_nobody_could_repeat_or_trust_is_not_published(
    tmp_path: Path, whole: dict[str, Any], change: Callable[[Any], None], words: str
) -> None:
    change(whole)
    (tmp_path / "report.json").write_text(json.dumps(whole))
    with pytest.raises(BenchError, match=words):
        publish.publish(tmp_path, tmp_path / "6.1")


def test_the_list_has_every_run_and_names_those_that_cannot_be_read(
    tmp_path: Path, whole: dict[str, Any]
) -> None:
    for name, text in (
        ("one", json.dumps(whole | {"run": "one"})),
        ("cut", '{"schema": "p2pb'),
        ("old", '{"schema": "p2pbench-report-0"}'),
        ("list", "[]"),
        ("reference/6.1", json.dumps(whole | {"run": "published-one"})),
    ):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "report.json").write_text(text)
    (tmp_path / "one" / "report.html").write_text("")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "journal.jsonl").write_text("")
    (tmp_path / "other").mkdir()
    text = index.write(tmp_path).read_text()
    assert '<a href="one/report.html">one</a>' in text
    assert "published-one</a> (published)" in text
    assert "<code>cut</code>: report.json is no report" in text
    assert "<code>old</code>: its schema is p2pbench-report-0" in text
    assert "<code>list</code>: report.json is no report" in text
    assert "<code>begun</code>: report.json: No such file or directory" in text
    assert "make report RUN=begun" in text
    assert "other<" not in text

# SPDX-License-Identifier: GPL-2.0
"""Every section of a report stands in Markdown and in HTML; one that a run lacks is named once."""

import re
from typing import Any

import jsonschema
import pytest

import samples
from p2pbench.base.schema import validator
from p2pbench.linux.probe import read_probe
from p2pbench.records.counts import OTHER
from p2pbench.report import render, report_file, summary, wording
from p2pbench.report.plots import all_plots, svg

# A figure of each section that is nowhere else.
FIGURES = {
    "virtual": ("93.2 µs", "-0.62 %", "kblockd_mod_delayed_work_on"),
    "instructions": ("51,911", "dma_map_sg_attrs", "bvec_inlined_away"),
    "memory": ("4.12 GiB", "9.80 µs", "8.00 MiB"),
    "static": ("1,144", "-2,214 bytes"),
    "aa": ("differ by at most 0.21 %",),
    "stopping": ("b6-page-bar, b7-page-bar", "0.0167"),
}


@pytest.fixture
def whole() -> dict[str, Any]:
    """A report with every section."""
    return samples.whole(samples.quick())


def test_the_samples_fit_the_schema_and_the_schema_refuses_what_is_not_there(
    whole: dict[str, Any]
) -> None:
    validator(report_file.SCHEMA_FILE).validate(whole)
    for section, key in (
        ("instructions", "cells"),
        ("virtual", "differences"),
        ("memory", "points"),
        ("static", "code"),
        ("aa", "alarms"),
        ("stopping", "looks"),
    ):
        broken = whole | {section: {k: v for k, v in whole[section].items() if k != key}}
        with pytest.raises(jsonschema.ValidationError):
            validator(report_file.SCHEMA_FILE).validate(broken)


@pytest.mark.parametrize("section", FIGURES)
def test_a_section_is_in_both_pages_or_said_to_be_absent(
    whole: dict[str, Any], section: str
) -> None:
    for make in (render.markdown, render.html):
        full, lacking = make(whole), make(whole | {section: None})
        for figure in FIGURES[section]:
            assert figure in full and figure not in lacking, figure
        assert "This run has no " not in full
        assert lacking.count("This run has no ") == 1


def test_virtual_time_that_was_not_measured_is_told_with_the_reason(whole: dict[str, Any]) -> None:
    whole["virtual"] |= {
        "absent": "QEMU 5 has no -icount",
        "cells": [],
        "disks": [],
        "differences": [],
    }
    for page in both(whole):
        there = [
            said in page
            for said in ("QEMU 5 has no -icount", "With a disk that takes time", "time per I/O")
        ]
        assert there == [True, False, False]


@pytest.mark.parametrize("known, columns", [([], 0), ([1], 1), ([0, 1], 1)])
def test_latency_has_columns_where_it_stands_beside_any_cell(
    whole: dict[str, Any], known: list[int], columns: int
) -> None:
    compare = samples.quick()["compares"][0]
    compare["cells"] = compare["cells"][:2]
    for index, cell in enumerate(compare["cells"]):
        cell["latency"] = dict.fromkeys(("p50", "p99"), 1.5 if index in known else None)
    report = whole | {"compares": [compare], "aa": None}
    heads = ("would decide | p50 | p99 |", "latency<br>p50")
    assert [
        page.count(head)
        for page, head in zip((render.markdown(report), render.html(report)), heads)
    ] == [columns, columns]


def both(report: dict[str, Any]) -> list[str]:
    """Both pages, each sentence on a line."""
    return [" ".join(make(report).split()) for make in (render.markdown, render.html)]


def test_its_words_are_explained_before_the_first_table(whole: dict[str, Any]) -> None:
    for page, table in zip(both(whole), ("|--", "<table")):
        for word in ("pageless", "cmb+sqes", "qd1", "none"):
            assert word in page[: page.index(table)]
        assert page.index("no I/O scheduler") < page.index(table)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"worst": 2.514}, "no line: the farthest point is 251 % off"),
        (
            {"per_gib": {"value": 9999.0, "low": -1.0, "high": 20000.0}},
            "no line: its slope cannot be told from 0",
        ),
    ],
)
def test_a_line_that_describes_nothing_is_not_drawn_up(
    whole: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    whole["memory"]["fits"][3] |= change
    assert all(
        said in page and "9.80 µs" not in page and "10.0 µs" not in page for page in both(whole)
    )


def test_a_range_that_reads_like_its_median_is_left_out(whole: dict[str, Any]) -> None:
    point = whole["memory"]["points"][-2]
    point["overhead_bytes"] = {"median": 3 << 32, "min": (3 << 32) - 4096, "max": (3 << 32) + 4096}
    assert all("12.0 GiB" in page and "12.0 GiB – 12.0 GiB" not in page for page in both(whole))


def test_a_pool_that_was_never_seen_in_use_was_not_caught(whole: dict[str, Any]) -> None:
    for cell in whole["cells"]:
        if cell["evidence"]:
            cell["evidence"]["pool_used"] = 0
    assert render.markdown(whole).count("| not caught |") == sum(
        bool(cell["evidence"]) for cell in whole["cells"]
    )
    assert "<td>not caught</td>" in render.html(whole)


def test_the_least_p_that_a_run_can_give_is_named_where_it_stands(whole: dict[str, Any]) -> None:
    cells = [
        {"metric": metric, "pairs": [{}] * 12, "p": p, "p_holm": holm, "interval": None}
        for metric, p, holm in (
            ("throughput", 0.3, 0.6),
            ("throughput", 2 / 4096, 4 / 4096),
            ("throughput", 2 / 4096, 4 / 4096),
            ("instructions", 2 / 4096, 2 / 4096),
        )
    ]
    compares = [{"name": name, "cells": [cell]} for name, cell in zip("abcd", cells)]
    del compares[2]["cells"][0]["p"]  # of a cell without a pair
    least = (
        "< 0.001 is the least that p (Holm) can be here: 12 pairs give no p under 2/4,096, "
        "and there are {}."
    )
    assert wording.least_p(compares) == {
        "b": least.format("2 cells of wall-clock throughput"),
        "d": least.format("1 cell of instructions per I/O"),
    }
    assert wording.least_p(compares[:1]) == {}
    assert wording.least_p(samples.quick()["compares"]) == {}  # without any p


def test_the_order_is_verdict_tables_plots_evidence_and_how_to_repeat_it(
    whole: dict[str, Any]
) -> None:
    html = render.html(whole)
    order = [
        'class="verdict',
        'id="virtual"',
        'id="comparisons"',
        'id="instructions"',
        'id="memory"',
        'id="figures"',
        'id="plots"',
        'id="evidence"',
        'id="aa"',
        'id="stopping"',
        'id="lost"',
        'id="static"',
        'id="provenance"',
        'id="reproduce"',
    ]
    places = [html.index(one) for one in order]
    assert places == sorted(places)
    assert len(re.findall("<svg", html)) == 2 + 4 + 8 + 1 + 3


def test_ids_in_a_page_are_unique_and_references_lead_somewhere(whole: dict[str, Any]) -> None:
    """Several plots share a page, and a browser takes the first of two equal ids."""
    html = render.html(whole)
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="#|url\(#)([^")]+)', html)
    assert used and set(used) <= set(ids)


def test_the_memory_plot_has_the_line_of_struct_pages_and_every_variant(
    whole: dict[str, Any]
) -> None:
    memory, time = all_plots.draw(whole)["memory"]
    assert "64 B per 4 KiB" in memory["svg"]
    for variant in ("page", "pageless"):
        assert f">{variant}<" in memory["svg"] and f">{variant}<" in time["svg"]


def test_a_stack_has_a_part_for_each_subsystem_and_the_sum_beside_it(whole: dict[str, Any]) -> None:
    drawn = all_plots.draw(whole)
    first = drawn["stacks"][0]["svg"]
    assert all(f"var(--{shade})" in first for shade, _ in drawn["subsystems"])
    assert "other" not in [name for _, name in drawn["subsystems"]]
    cell = whole["instructions"]["cells"][0]
    assert f"{cell['variants']['page']['per_io']:,.0f}" in first


def test_every_subsystem_has_a_colour_of_its_own() -> None:
    names = {*read_probe("6.1").subsystems.values(), OTHER}
    assert len({svg.subsystem_shade(name) for name in names}) == len(names)


def test_ten_functions_at_most_and_the_largest_difference_first(whole: dict[str, Any]) -> None:
    assert len(whole["instructions"]["cells"][0]["functions"]) > all_plots.MOST_FUNCTIONS
    shown = all_plots.draw(whole)["functions"][0]["functions"]
    sizes = [abs(one["difference"]["pageless"]) for one in shown]
    assert len(shown) == 10 and sizes == sorted(sizes, reverse=True)


def test_the_rest_of_a_path_stands_below_its_functions(whole: dict[str, Any]) -> None:
    cell = whole["instructions"]["cells"][0]
    cell["others"] = 98
    rest = all_plots.functions([cell])[0]["others"]["per_io"]["page"]
    for page, row in (
        (render.markdown(whole), f"| 100 others | | {rest:,.0f} |"),
        (render.html(whole), '<th scope="row">100 others</th>'),
    ):
        assert page.count(row) == 1
    assert f"<td>{rest:,.0f}</td>" in render.html(whole)
    del cell["others"]  # a report from before it was kept
    assert f"| others | | {rest:,.0f} |" in render.markdown(whole)


def test_a_function_that_may_have_been_inlined_says_so_in_its_row(whole: dict[str, Any]) -> None:
    row = whole["instructions"]["cells"][0]["functions"][0]
    said = "pageless: not run here, or inlined"
    assert said not in render.markdown(whole) and said not in render.html(whole)
    row["unseen"] = ["pageless"]
    assert f"| `{row['function']}` ({said}) |" in render.markdown(whole)
    assert f"<code>{row['function']}</code><br><span class=\"small\">{said}</span>" in render.html(
        whole
    )


def test_small_changes_have_ticks_of_their_own(whole: dict[str, Any]) -> None:
    """Instructions differ by tenths of a per cent: an axis of whole per cents says nothing."""
    compare = whole["compares"][1]
    cells = [
        cell
        | {
            "metric": "instructions",
            "margin": 0.005,
            "ratio": 1.001,
            "pairs": [],
            "interval": {"low": 0.9995, "high": 1.002},
        }
        for cell in compare["cells"]
    ]
    drawn = all_plots.draw(whole | {"compares": [compare | {"cells": cells}]})["forests"][0]["svg"]
    assert "+0.5 %" in drawn and "instructions per I/O" in drawn and "less is better" in drawn


def test_each_percentile_has_a_name_of_its_own_in_tables_and_plots(whole: dict[str, Any]) -> None:
    compare = samples.timed()[1]
    names = [
        f"bar {path} {percentile}"
        for path in ("randread 4k qd1", "randwrite 128k qd1")
        for percentile in ("p50", "p99")
    ]
    made = whole | {"compares": [compare]}
    drawn = all_plots.draw(made)["forests"][0]["svg"]
    assert "latency in virtual time: candidate" in drawn and "p50 latency" not in drawn
    assert all("latency in virtual time (less is better)" in page for page in both(made))
    for text, before, times in (
        (drawn, ">", 1),
        (render.markdown(made), "| ", 1),
        (render.html(made), ">", 2),
    ):
        assert all(text.count(before + name) == times for name in names)


def test_no_stand_in_of_a_colour_is_left_in_a_plot(whole: dict[str, Any]) -> None:
    html = render.html(whole)
    assert not any(colour in html for colour in svg.COLOURS.values())


def test_what_a_machine_says_cannot_become_markup_in_a_plot(whole: dict[str, Any]) -> None:
    whole["instructions"]["cells"][0]["path"] = '<script>x</script> "y"'
    whole["memory"]["points"][0]["variant"] = "<b>"
    html = render.html(whole)
    assert "<script>" not in html and "<b>" not in html


def test_perf_stat_is_not_taken_for_a_count_by_function(whole: dict[str, Any]) -> None:
    assert "attributed by function" in render.html(whole)
    whole["instructions"]["instrument"] = "perf stat"
    for text in (render.html(whole), render.markdown(whole)):
        assert "Instructions of the whole kernel on all CPUs" in text
        assert "attributed by function" not in text
    assert "Work per P2P I/O (instructions of the whole kernel, perf stat): " in " ".join(
        summary.sentences(whole)
    )

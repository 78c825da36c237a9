"""Every section of a report stands in Markdown and in HTML; one that a run lacks is named once."""

import re
from typing import Any

import jsonschema
import pytest

import samples
from p2pbench import pages, plots, reports, svg
from p2pbench.schema import validator

# A figure of each section that is nowhere else.
FIGURES = {"instructions": ("51,911", "dma_map_sg_attrs", "bvec_inlined_away"),
           "memory": ("4.12 GiB", "9.80 µs", "8.00 MiB"), "static": ("1,144", "-2,214 bytes"),
           "aa": ("differ by at most 0.21 %",), "stopping": ("b6-page-bar, b7-page-bar", "0.0167")}


@pytest.fixture
def whole() -> dict[str, Any]:
    """A report with every section."""
    return samples.whole(samples.quick())


def test_the_samples_fit_the_schema_and_the_schema_refuses_what_is_not_there(
    whole: dict[str, Any]
) -> None:
    validator(reports.SCHEMA_FILE).validate(whole)
    for section, key in (("instructions", "cells"), ("memory", "points"), ("static", "code"),
                         ("aa", "alarms"), ("stopping", "looks")):
        broken = whole | {section: {k: v for k, v in whole[section].items() if k != key}}
        with pytest.raises(jsonschema.ValidationError):
            validator(reports.SCHEMA_FILE).validate(broken)


@pytest.mark.parametrize("section", FIGURES)
def test_a_section_is_in_both_pages_or_said_to_be_absent(
    whole: dict[str, Any], section: str
) -> None:
    for make in (pages.markdown, pages.html):
        full, lacking = make(whole), make(whole | {section: None})
        for figure in FIGURES[section]:
            assert figure in full and figure not in lacking, figure
        assert "This run has no " not in full
        assert lacking.count("This run has no ") == 1


def test_the_order_is_verdict_tables_plots_evidence_and_how_to_repeat_it(
    whole: dict[str, Any]
) -> None:
    html = pages.html(whole)
    order = ["class=\"verdict", 'id="comparisons"', 'id="instructions"', 'id="memory"',
             'id="figures"', 'id="plots"', 'id="evidence"', 'id="aa"', 'id="stopping"', 'id="lost"',
             'id="static"', 'id="provenance"', 'id="reproduce"']
    places = [html.index(one) for one in order]
    assert places == sorted(places)
    assert len(re.findall("<svg", html)) == 2 + 4 + 6 + 1 + 3


def test_ids_in_a_page_are_unique_and_references_lead_somewhere(whole: dict[str, Any]) -> None:
    """Several plots share a page, and a browser takes the first of two equal ids."""
    html = pages.html(whole)
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="#|url\(#)([^")]+)', html)
    assert used and set(used) <= set(ids)


def test_the_memory_plot_has_the_line_of_struct_pages_and_every_variant(
    whole: dict[str, Any]
) -> None:
    memory, time = plots.draw(whole)["memory"]
    assert "64 B per 4 KiB" in memory["svg"]
    for variant in ("page", "pageless"):
        assert f">{variant}<" in memory["svg"] and f">{variant}<" in time["svg"]


def test_a_stack_has_a_part_for_each_subsystem_and_the_sum_beside_it(
    whole: dict[str, Any]
) -> None:
    drawn = plots.draw(whole)
    first = drawn["stacks"][0]["svg"]
    assert all(f"var(--{shade})" in first for shade, _ in drawn["subsystems"])
    assert "other" not in [name for _, name in drawn["subsystems"]]
    cell = whole["instructions"]["cells"][0]
    assert f"{cell['variants']['page']['per_io']:,.0f}" in first


def test_ten_functions_at_most_and_the_largest_difference_first(whole: dict[str, Any]) -> None:
    assert len(whole["instructions"]["cells"][0]["functions"]) > plots.MOST_FUNCTIONS
    shown = plots.draw(whole)["functions"][0]["functions"]
    sizes = [abs(one["difference"]["pageless"]) for one in shown]
    assert len(shown) == 10 and sizes == sorted(sizes, reverse=True)


def test_small_changes_have_ticks_of_their_own(whole: dict[str, Any]) -> None:
    """Instructions differ by tenths of a per cent: an axis of whole per cents says nothing."""
    compare = whole["compares"][1]
    cells = [cell | {"metric": "instructions", "margin": 0.005, "ratio": 1.001, "pairs": [],
                     "interval": {"low": 0.9995, "high": 1.002}} for cell in compare["cells"]]
    drawn = plots.draw(whole | {"compares": [compare | {"cells": cells}]})["forests"][0]["svg"]
    assert "+0.5 %" in drawn and "instructions per I/O" in drawn and "fewer is better" in drawn


def test_no_stand_in_of_a_colour_is_left_in_a_plot(whole: dict[str, Any]) -> None:
    html = pages.html(whole)
    assert not any(colour in html for colour in svg.COLOURS.values())


def test_what_a_machine_says_cannot_become_markup_in_a_plot(whole: dict[str, Any]) -> None:
    whole["instructions"]["cells"][0]["path"] = "<script>x</script> \"y\""
    whole["memory"]["points"][0]["variant"] = "<b>"
    html = pages.html(whole)
    assert "<script>" not in html and "<b>" not in html

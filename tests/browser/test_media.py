# SPDX-License-Identifier: GPL-2.0
"""The report follows the reader: light or dark, on a screen or on paper."""

import json
from pathlib import Path
from typing import Any

from window import picture, requests, shown

import samples
from p2pbench.report import index, two_runs


def test_light_and_dark_differ(browser: Any, pages_made: dict[str, Path]) -> None:
    seen = []
    for scheme in ("light", "dark"):
        shown(browser, pages_made["whole"], 1280, scheme)
        seen.append(
            browser.execute_script(
                "return getComputedStyle(document.body).backgroundColor"
                " + getComputedStyle(document.querySelector('svg text')).fill"
            )
        )
    assert seen[0] != seen[1]


def test_a_print_is_black_on_white_and_leaves_nothing_folded(
    browser: Any, pages_made: dict[str, Path]
) -> None:
    shown(browser, pages_made["whole"], 1000, "dark", "print")
    assert (
        browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    folded = browser.execute_script(
        """
        return [...document.querySelectorAll('details pre')]
            .filter(one => !one.checkVisibility({contentVisibilityAuto: true})
                           || one.getBoundingClientRect().height === 0).length"""
    )
    assert browser.execute_script("return document.querySelectorAll('details pre').length") > 2
    assert folded == 0


def test_on_paper_the_functions_that_differ_show_their_last_column(
    browser: Any, pages_made: dict[str, Path]
) -> None:
    """On A4, 718 pixels between the margins; small print in a table is no larger than the rest."""
    shown(browser, pages_made["published"], 718, "light", "print")
    edges = browser.execute_script(
        """
        return [...document.querySelectorAll('.functions table')]
            .map(one => one.getBoundingClientRect().right)"""
    )
    assert edges and max(edges) <= 718
    assert (
        browser.execute_script(
            """
        return [...document.querySelectorAll('table .small')].filter(
            one => parseFloat(getComputedStyle(one).fontSize)
                   > parseFloat(getComputedStyle(one.closest('table')).fontSize)).length"""
        )
        == 0
    )


def test_the_list_of_runs_and_a_comparison_fit_a_phone(browser: Any, tmp_path: Path) -> None:
    a = samples.quick()
    b = a | {"run": "another", "created": "2026-11-24T00:00:00+00:00"}
    (tmp_path / "another").mkdir()
    (tmp_path / "another" / "report.json").write_text(json.dumps(b))
    html, *_ = two_runs.write(two_runs.compare(a, b), tmp_path / "compare")
    for file in (index.write(tmp_path), html):
        shown(browser, file, 390, "dark")
        picture(browser, 390, file.stem.split("--")[-1])
        assert [
            url for url in requests(browser) if not url.startswith(("data:", file.as_uri()))
        ] == []
        assert browser.get_log("browser") == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390

"""The report follows the reader: light or dark, on a screen or on paper."""

from pathlib import Path
from typing import Any

from window import shown


def test_light_and_dark_differ(browser: Any, pages_made: dict[str, Path]) -> None:
    seen = []
    for scheme in ("light", "dark"):
        shown(browser, pages_made["whole"], 1280, scheme)
        seen.append(browser.execute_script(
            "return getComputedStyle(document.body).backgroundColor"
            " + getComputedStyle(document.querySelector('svg text')).fill"))
    assert seen[0] != seen[1]


def test_a_print_is_black_on_white_and_leaves_nothing_folded(
    browser: Any, pages_made: dict[str, Path]
) -> None:
    shown(browser, pages_made["whole"], 1000, "dark", "print")
    assert browser.execute_script(
        "return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    folded = browser.execute_script("""
        return [...document.querySelectorAll('details pre')]
            .filter(one => !one.checkVisibility({contentVisibilityAuto: true})
                           || one.getBoundingClientRect().height === 0).length""")
    assert browser.execute_script("return document.querySelectorAll('details pre').length") > 2
    assert folded == 0

# SPDX-License-Identifier: GPL-2.0
"""The report in a real browser: it loads nothing, says nothing on the console, shows every plot.

Screenshots are kept in build/screenshots/.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from window import picture, requests, shown

SIZES = {"desktop": 1280, "phone": 390}
SCHEMES = ("light", "dark")


@dataclass
class Page:
    """An open page: where to ask questions, what was fetched for it, what the console said."""

    browser: Any
    url: str
    width: int
    fetched: list[str]
    console: list[Any]

    def ask(self, script: str) -> Any:
        """The answer of a piece of JavaScript."""
        return self.browser.execute_script(script)


@pytest.fixture(
    scope="module",
    params=[
        *(
            f"{name} {size} {scheme}"
            for name in ("quick", "whole")
            for size in SIZES
            for scheme in SCHEMES
        ),
        # Its pictures take a minute each.
        "published desktop light",
        "published phone dark",
    ],
)
def page(request: pytest.FixtureRequest, browser: Any, pages_made: dict[str, Path]) -> Page:
    """A page on a screen of some size, in light or dark; its pictures are taken."""
    name, size, scheme = request.param.split()
    shown(browser, pages_made[name], SIZES[size], scheme)
    made = Page(
        browser,
        pages_made[name].as_uri(),
        SIZES[size],
        requests(browser),
        browser.get_log("browser"),
    )
    picture(browser, SIZES[size], f"{name}-{size}-{scheme}")
    return made


def test_it_says_nothing_on_the_console_and_fetches_nothing(page: Page) -> None:
    assert [url for url in page.fetched if url != page.url and not url.startswith("data:")] == []
    assert page.console == []


def test_every_plot_can_be_seen(page: Page) -> None:
    boxes = page.ask(
        """
        return [...document.querySelectorAll('figure svg')].map(plot => {
            const box = plot.getBoundingClientRect();
            const marks = [...plot.querySelectorAll('path')]
                .map(one => one.getBoundingClientRect());
            return {name: plot.getAttribute('aria-label'), left: box.left, right: box.right,
                    width: box.width, height: box.height,
                    texts: plot.querySelectorAll('text').length,
                    marks: marks.filter(one => one.width + one.height > 0).length};
        });"""
    )
    assert len(boxes) >= 4
    for box in boxes:
        assert box["name"]
        assert box["width"] > 250 and box["height"] > 40, box
        assert 0 <= box["left"] and box["right"] <= page.width, box
        assert box["texts"] > 2 and box["marks"] > 2, box


def test_no_text_of_a_plot_is_cut_or_lies_on_another(page: Page) -> None:
    """A pixel of air is asked of what stands in a line, so that figures do not run together."""
    wrong = page.ask(
        """
        const found = [];
        for (const plot of document.querySelectorAll('figure svg')) {
            const edge = plot.getBoundingClientRect();
            const texts = [...plot.querySelectorAll('text')].map(
                one => ({said: one.textContent, box: one.getBoundingClientRect()}));
            texts.forEach((one, i) => {
                if (one.box.left < edge.left || one.box.right > edge.right)
                    found.push([one.said, 'cut']);
                for (const other of texts.slice(i + 1))
                    if (one.box.left < other.box.right + 1 && other.box.left < one.box.right + 1
                        && one.box.top < other.box.bottom - 3 && other.box.top < one.box.bottom - 3)
                        found.push([one.said, other.said]);
            });
        }
        return found"""
    )
    assert wrong == []


def test_every_part_of_a_stack_lies_inside_its_axes_and_its_sum_beside_it(page: Page) -> None:
    """What ends outside is cut off, and a bar that is cut looks like any other."""
    stacks = page.ask(
        """
        const coloured = /var\\(--s\\d+\\)/;
        return [...document.querySelectorAll('figure svg')].map(plot => {
            const parts = [...plot.querySelectorAll('path')]
                .filter(one => coloured.test(one.getAttribute('style')));
            const clip = plot.querySelector('clipPath rect');
            const axes = clip && clip.getBBox();
            return {name: plot.getAttribute('aria-label'),
                    left: axes && axes.x, right: axes && axes.x + axes.width,
                    shades: new Set(parts.map(one => one.style.fill)).size,
                    parts: parts.map(one => one.getBBox()).map(box => [box.x, box.x + box.width]),
                    texts: [...plot.querySelectorAll('text')].map(one => {
                        const box = one.getBoundingClientRect();
                        const to = plot.getScreenCTM().inverse();
                        return [one.textContent.trim(), box.left * to.a + to.e,
                                box.right * to.a + to.e]})};
        }).filter(one => one.name.startsWith('Instructions per I/O by subsystem'))"""
    )
    assert stacks or "quick" in page.url
    for stack in stacks:
        sums = re.findall(r"[\d,.]+(?=[,;]|$)", stack["name"].split(": ", 2)[2])
        beside = [text for text in stack["texts"] if text[0] in sums]
        assert stack["shades"] >= 2 and len(stack["parts"]) >= 3, stack
        assert len(beside) >= len(sums) > 0, stack
        for part in stack["parts"] + [text[1:] for text in beside]:
            assert stack["left"] - 1 <= part[0] < part[1] <= stack["right"] + 1, stack


def test_the_page_never_scrolls_sideways(page: Page) -> None:
    """Wide tables scroll in boxes of their own. A phone would zoom out, so ask for the width."""
    assert page.ask("return document.documentElement.scrollWidth") <= page.width
    edges = page.ask(
        """
        return [...document.querySelectorAll('.table')]
            .map(box => box.getBoundingClientRect().right)"""
    )
    assert len(edges) > 3 and max(edges) <= page.width


def test_the_functions_that_differ_show_their_last_column_on_a_desktop(page: Page) -> None:
    """The difference decides: nobody looks for it where nothing says that a table goes on."""
    hidden = page.ask(
        """
        return [...document.querySelectorAll('.functions .table')]
            .filter(box => box.scrollWidth > box.clientWidth)
            .map(box => box.getAttribute('aria-label'))"""
    )
    assert hidden == [] or page.width < 500


def luminance(colour: str) -> float:
    """The relative luminance of rgb(...), as WCAG defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_text_stands_out_from_the_page(page: Page) -> None:
    """In light and dark, inside plots too: a contrast of 4.5 as WCAG wants it."""
    colours = page.ask(
        """
        const all = [...document.querySelectorAll('svg text')]
            .map(one => getComputedStyle(one).fill);
        const words = [...document.querySelectorAll('p, li, td, th, h1, h2, h3, a, dt, dd')]
            .map(one => getComputedStyle(one).color);
        return {page: getComputedStyle(document.body).backgroundColor,
                texts: [...new Set([...all, ...words])]}"""
    )
    behind = luminance(colours["page"])
    for text in colours["texts"]:
        low, high = sorted((behind, luminance(text)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, colours["page"])


def test_the_verdict_is_on_the_first_screen(page: Page) -> None:
    box = page.ask(
        """
        const box = document.querySelector('.verdict').getBoundingClientRect();
        return {top: box.top, bottom: box.bottom, screen: window.innerHeight}"""
    )
    assert 0 < box["top"] < box["bottom"] <= box["screen"]

# SPDX-License-Identifier: GPL-2.0
"""A plot of a report as a file of its own, for a page that is not ours: a README."""

from __future__ import annotations

from p2pbench.report.render import TEMPLATES

_TEXT = "text { font-family: sans-serif; }"
_BACKGROUND = "svg { background: var(--page); }"


def standalone(element: str) -> str:
    """Return the SVG file of a plot that was drawn as an element of a page (svg.py).

    It brings what the page would define: the name spaces and the colours, light and dark.
    """
    style = f"<style>{(TEMPLATES / 'colours.css').read_text()}{_BACKGROUND} {_TEXT}</style>"
    head, _, body = element.partition(">")
    return (
        head.replace(
            "<svg ",
            '<svg xmlns="http://www.w3.org/2000/svg" '
            'xmlns:xlink="http://www.w3.org/1999/xlink" ',
            1,
        )
        + f">{style}{body}\n"
    )

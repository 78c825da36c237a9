# SPDX-License-Identifier: GPL-2.0
"""What all plots share: matplotlib figures as SVG elements of a page.

Colours are custom properties of the page (--fg, --muted, ...), so that a plot follows light and
dark; text stays text; nothing in it holds an address or loads anything.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib
from matplotlib.figure import Figure

WIDTH_INCH = 4.9
_STYLE: dict[str, Any] = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}
_SHADES = (
    "page",
    "fg",
    "muted",
    "line",
    "band",
    "worse",
    "better",
    "equivalent",
    "inconclusive",
    "invalid",
    *(f"v{i}" for i in range(1, 5)),
    *(f"s{i}" for i in range(1, 11)),
)
# Stand-ins that the file format can write, replaced by what the page defines.
COLOURS = {name: f"#0102{number:02x}" for number, name in enumerate(_SHADES, 3)}
MARKERS = {"v1": "o", "v2": "s", "v3": "D", "v4": "^"}
_SUBSYSTEMS = (
    "block",
    "nvme",
    "nvmet",
    "rdma core",
    "rxe",
    "p2pdma",
    "dma",
    "genalloc",
    "other",
    "null_blk",
)


class Plot:
    """A figure in the making: `figure` to draw on, `svg` when the `with` block is over."""

    def __init__(self, height_inch: float) -> None:
        self.figure = Figure(figsize=(WIDTH_INCH, height_inch))
        self.svg = ""


@contextmanager
def plot(name: str, description: str, height_inch: float) -> Iterator[Plot]:
    """A new plot. `name` is unique in its page, `description` is for those who cannot see it."""
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        made = Plot(height_inch)
        yield made
        buffer = io.StringIO()
        made.figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    made.svg = _for_page(buffer.getvalue(), description)


def box(
    height_inch: float, left: float, right: float, top: float, bottom: float
) -> tuple[float, float, float, float]:
    """The place of axes in a figure, from the air around them in inches."""
    return (
        left / WIDTH_INCH,
        bottom / height_inch,
        (WIDTH_INCH - left - right) / WIDTH_INCH,
        (height_inch - top - bottom) / height_inch,
    )


def bare(axes: Any, *sides: str) -> None:
    """Leave only the spines of these sides, thin, and ticks in a muted colour."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in sides)
        spine.set_color(COLOURS["line"])
    axes.tick_params(which="both", colors=COLOURS["muted"], length=3)


def variant_shade(variants: list[str], variant: str) -> str:
    """The name of a variant's colour: by its place among the variants of the report."""
    return f"v{variants.index(variant) % len(MARKERS) + 1}"


def subsystem_shade(subsystem: str) -> str:
    """The name of a subsystem's colour; one that nobody knows counts as other."""
    known = subsystem if subsystem in _SUBSYSTEMS else "other"
    return f"s{_SUBSYSTEMS.index(known) + 1}"


def _for_page(svg: str, description: str) -> str:
    """Cut the file down to an element of a page: no prologue, metadata, name spaces or colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", svg)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # the same in every plot, and a page has several
    svg = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", svg)  # the family is the page's
    svg = re.sub(r'<svg ([^>]*?)height="[^"]*"', r"<svg \1", svg, count=1)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", svg, count=1)
    for name, stand_in in COLOURS.items():
        svg = svg.replace(stand_in, f"var(--{name})")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(description)}" ', 1)

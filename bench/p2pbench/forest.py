"""The forest plot: one compare as an SVG to put inside a page.

The colours are custom properties of the page (--fg, --muted, ...), so that it follows light and
dark; it holds no address and loads nothing.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib  # type: ignore[import]
from matplotlib.figure import Figure  # type: ignore[import]

from .words import change, change_range, label

_STYLE = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}
# Stand-ins that the file format can write, replaced by what the page defines.
_COLOURS = {
    "fg": "#010203", "muted": "#010204", "line": "#010205", "band": "#010206", "worse": "#010207",
    "better": "#010208", "equivalent": "#010209", "inconclusive": "#01020a", "invalid": "#01020b",
}
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0,
          1.02, 1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_ROW_INCH = 0.5
_WIDTH_INCH = 4.9
_MOST_TICKS = 7


def forest_svg(compare: Mapping[str, Any]) -> str:
    """The ratios of a compare with their intervals, on a logarithmic axis, as an <svg> element.

    Each row: small dots are the pairs, the large mark their median, the line the interval; the
    band is the practical margin.
    """
    cells: Sequence[Mapping[str, Any]] = compare["cells"]
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": compare["name"]}):
        figure = Figure(figsize=(_WIDTH_INCH, _ROW_INCH * len(cells) + 0.75))
        axes = figure.add_axes(_box(len(cells)))
        _draw_axes(axes, cells)
        for row, cell in enumerate(cells):
            _draw_row(axes, row, cell)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _for_page(buffer.getvalue(), f"{compare['title']}: ratios with 95 % intervals")


def _box(rows: int) -> tuple[float, float, float, float]:
    height = _ROW_INCH * rows + 0.75
    return (0.03, 0.62 / height, 0.94, _ROW_INCH * rows / height)


def _draw_axes(axes: Any, cells: Sequence[Mapping[str, Any]]) -> None:
    low, high = _range(cells)
    axes.set_xlim(low, high)
    axes.set_ylim(len(cells) - 0.35, -0.65)
    axes.set_yticks([])
    ticks = _ticks(low, high)
    axes.set_xticks([math.log(tick) for tick in ticks])
    axes.set_xticklabels([f"{(tick - 1) * 100:+.0f} %".replace("+0", "0") for tick in ticks])
    axes.tick_params(colors=_COLOURS["muted"], length=3)
    axes.set_xlabel("throughput: candidate against baseline", color=_COLOURS["muted"])
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_COLOURS["line"])
    for edge in {cell["margin"] for cell in cells}:
        axes.axvspan(-math.log1p(edge), math.log1p(edge), color=_COLOURS["band"], linewidth=0)
    axes.axvline(0, color=_COLOURS["line"], linewidth=1)


def _draw_row(axes: Any, row: int, cell: Mapping[str, Any]) -> None:
    colour = _COLOURS[cell["verdict"]]
    across = axes.get_yaxis_transform()
    axes.text(0, row - 0.28, label(cell["workload"]), transform=across, color=_COLOURS["fg"])
    figure = "" if cell["ratio"] is None else f"{change(cell['ratio'])} "
    interval = "" if cell["interval"] is None else f"{change_range(cell['interval'])} "
    axes.text(1, row - 0.28, f"{figure}{interval}{cell['verdict']}", transform=across,
              color=colour, horizontalalignment="right")
    if cell["ratio"] is None:
        return
    if cell["interval"]:
        bounds = [math.log(cell["interval"][key]) for key in ("low", "high")]
        axes.plot(bounds, [row, row], color=colour, linewidth=2.2)
    dots = [math.log(pair["ratio"]) for pair in cell["pairs"]]
    axes.plot(dots, [row] * len(dots), "o", color=_COLOURS["muted"], markersize=3, alpha=0.8)
    axes.plot([math.log(cell["ratio"])], [row], "D", color=colour, markersize=6)


def _range(cells: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The bounds of ln(ratio): all data, the margins twice over, and a little air."""
    points = [side * 2 * math.log1p(cell["margin"]) for cell in cells for side in (-1, 1)]
    for cell in cells:
        if cell["ratio"] is not None:
            points += [math.log(pair["ratio"]) for pair in cell["pairs"]]
            points += [math.log(cell["interval"][k]) for k in ("low", "high") if cell["interval"]]
    low, high = min(points, default=-0.04), max(points, default=0.04)
    air = 0.04 * (high - low)
    return low - air, high + air


def _ticks(low: float, high: float) -> list[float]:
    """The round ratios inside the range: no change always, others where there is room."""
    room = (high - low) / _MOST_TICKS
    chosen = [1.0]
    for tick in sorted(_TICKS, key=lambda one: abs(math.log(one))):
        if low <= math.log(tick) <= high and all(
            abs(math.log(tick / other)) >= room for other in chosen
        ):
            chosen.append(tick)
    return sorted(chosen)


def _for_page(svg: str, description: str) -> str:
    """Cut the file down to an element of a page: no prologue, metadata, name spaces or colours."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", svg)
    svg = re.sub(r'<svg ([^>]*?)height="[^"]*"', r"<svg \1", svg, count=1)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", svg, count=1)
    for name, stand_in in _COLOURS.items():
        svg = svg.replace(stand_in, f"var(--{name})")
    text = description.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{text}" ', 1)

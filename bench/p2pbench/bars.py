"""Instructions per I/O: stacked bars by subsystem, and ordinary I/O against its baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.ticker import MaxNLocator  # type: ignore[import]

from . import svg, words
from .svg import COLOURS, MARKERS, subsystem_shade, variant_shade

_BAR_INCH = 0.24
_ROW_INCH = 0.3
_AXIS_INCH = 0.62
# What ordinary I/O may cost more, at most, on any path.
GOAL = 0.003
Cells = Sequence[Mapping[str, Any]]


def subsystems_of(cells: Cells) -> list[str]:
    """The subsystems that appear, those that take most first, the same for every path."""
    sums: dict[str, float] = {}
    for cell in cells:
        for figures in cell["variants"].values():
            for name, value in figures["subsystems"].items():
                sums[name] = sums.get(name, 0) + value
    return sorted(sums, key=lambda name: -sums[name])


def stacks_svg(cells: Cells, name: str) -> str:
    """A group of bars for each path, a bar for each variant, a part for each subsystem."""
    order = subsystems_of(cells)
    height = sum(_BAR_INCH * (len(cell["variants"]) + 1.3) for cell in cells) + _AXIS_INCH
    said = "Instructions per I/O by subsystem, one bar a variant: " + "; ".join(
        f"{cell['path']}: " + ", ".join(f"{variant} {words.decimal(figures['per_io'])}"
                                        for variant, figures in cell["variants"].items())
        for cell in cells)
    with svg.plot(f"stacks {name}", said, height) as made:
        axes = made.figure.add_axes(svg.box(height, 0.78, 0.3, 0.05, 0.55))
        most = max(figures["per_io"] for cell in cells for figures in cell["variants"].values())
        axes.set_xlim(0, most * 1.16)
        row = 0.0
        for cell in cells:
            axes.text(0, row + 0.1, cell["path"], color=COLOURS["fg"], fontsize=10,
                      verticalalignment="center")
            for variant, figures in cell["variants"].items():
                row += 1
                _stack(axes, row, variant, figures, order)
            row += 1.3
        axes.set_ylim(row - 0.5, -0.5)
        axes.set_yticks([])
        svg.bare(axes, "bottom")
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_xlabel("instructions per I/O", color=COLOURS["muted"])
    return made.svg


def _stack(axes: Any, row: float, variant: str, figures: Mapping[str, Any],
           order: Sequence[str]) -> None:
    left = 0.0
    for name in order:
        width = figures["subsystems"].get(name, 0)
        if width > 0:
            axes.barh([row], [width], left=left, height=0.82, color=COLOURS[subsystem_shade(name)],
                      edgecolor=COLOURS["page"], linewidth=0.5)
            left += width
    axes.text(left, row, " " + words.decimal(figures["per_io"]), color=COLOURS["fg"], fontsize=9,
              verticalalignment="center")
    axes.text(0, row, f"{variant} ", color=COLOURS["muted"], fontsize=9,
              verticalalignment="center", horizontalalignment="right")


def ordinary_svg(cells: Cells, variants: list[str]) -> str:
    """A row for each path of ordinary I/O, a mark for each variant; the band is the goal."""
    height = _ROW_INCH * len(cells) + _AXIS_INCH
    ratios = [_ratio(cell, one) for cell in cells for one in cell["candidates"]]
    changes: list[float] = [ratio - 1 for ratio in ratios if ratio] or [0.0]
    said = "Instructions of ordinary I/O against the baseline, by path and variant: from " \
           f"{words.change(1 + min(changes))} to {words.change(1 + max(changes))}."
    with svg.plot("ordinary", said, height) as made:
        axes = made.figure.add_axes(svg.box(height, 0.15, 0.15, 0.05, 0.55))
        axes.axvspan(-GOAL * 100, GOAL * 100, color=COLOURS["band"], linewidth=0)
        axes.axvline(0, color=COLOURS["muted"], linewidth=0.8)
        for row, cell in enumerate(cells):
            axes.axhline(row + 0.15, color=COLOURS["line"], linewidth=0.4)
            _marks(axes, row, cell, variants)
        edge = max(2 * GOAL, max(changes), -min(changes)) * 100 * 1.1
        axes.set_xlim(-edge, edge)
        axes.set_ylim(len(cells) - 0.4, -0.75)
        axes.set_yticks([])
        svg.bare(axes, "bottom")
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:+.3g} %".replace("+0 %", "0"))
        axes.set_xlabel(f"instructions per I/O against {cells[0]['baseline']} (fewer is better)",
                        color=COLOURS["muted"])
    return made.svg


def _marks(axes: Any, row: int, cell: Mapping[str, Any], variants: list[str]) -> None:
    axes.text(0, row - 0.18, cell["path"], transform=axes.get_yaxis_transform(),
              color=COLOURS["fg"], fontsize=9, verticalalignment="center")
    for candidate in cell["candidates"]:
        ratio = _ratio(cell, candidate)
        if ratio:
            shade = variant_shade(variants, candidate)
            axes.plot([(ratio - 1) * 100], [row + 0.15], MARKERS[shade],
                      color=COLOURS[shade], markersize=5.5, alpha=0.9)


def _ratio(cell: Mapping[str, Any], candidate: str) -> float | None:
    base = cell["variants"].get(cell["baseline"])
    mine = cell["variants"].get(candidate)
    return mine["per_io"] / base["per_io"] if base and mine and base["per_io"] else None

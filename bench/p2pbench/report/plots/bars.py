# SPDX-License-Identifier: GPL-2.0
"""Instructions per I/O: stacked bars by subsystem, and ordinary I/O against its baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.ticker import MaxNLocator

from p2pbench.records.counts import OTHER
from p2pbench.report import wording
from p2pbench.report.plots import svg
from p2pbench.report.plots.svg import COLOURS, MARKERS, subsystem_shade, variant_shade

_BAR_INCH = 0.24
_ROW_INCH = 0.36
_AXIS_INCH = 0.62
# How far below its row's middle a mark of ordinary I/O lies: clear of the names above and below.
_MARK = 0.22
# What ordinary I/O may cost more, at most, on any path.
GOAL = 0.003
Cells = Sequence[Mapping[str, Any]]


def subsystems_of(cells: Cells) -> list[str]:
    """The subsystems that appear, those that take most first, the same for every path.

    What belongs to none comes last: it is no part of the path.
    """
    sums: dict[str, float] = {}
    for cell in cells:
        for figures in cell["variants"].values():
            for name, value in figures["subsystems"].items():
                sums[name] = sums.get(name, 0) + value
    return sorted(sums, key=lambda name: (name == OTHER, -sums[name]))


def parts_of(cells: Cells) -> list[str]:
    """The subsystems of the path: the parts of a stack, which add up to the figure beside it."""
    return [name for name in subsystems_of(cells) if name != OTHER]


def stacks_svg(cells: Cells, name: str) -> str:
    """A group of bars for each path, a bar for each variant, a part for each subsystem."""
    order = parts_of(cells)
    height = sum(_BAR_INCH * (len(cell["variants"]) + 1.3) for cell in cells) + _AXIS_INCH
    said = "Instructions per I/O by subsystem, one bar a variant: " + "; ".join(
        f"{cell['path']}: "
        + ", ".join(
            f"{variant} {wording.decimal(figures['per_io'])}"
            for variant, figures in cell["variants"].items()
        )
        for cell in cells
    )
    with svg.plot(f"stacks {name}", said, height) as made:
        axes = made.figure.add_axes(svg.box(height, 0.78, 0.3, 0.05, 0.55))
        most = max(figures["per_io"] for cell in cells for figures in cell["variants"].values())
        axes.set_xlim(0, most * 1.2)
        row = 0.0
        for cell in cells:
            axes.text(
                0,
                row + 0.1,
                cell["path"],
                color=COLOURS["fg"],
                fontsize=10,
                verticalalignment="center",
            )
            for variant, figures in cell["variants"].items():
                row += 1
                _stack(axes, row, variant, figures, order)
            row += 1.3
        axes.set_ylim(row - 0.5, -0.5)
        axes.set_yticks([])
        svg.bare(axes, "bottom")
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(lambda value, _: wording.short(value))
        axes.set_xlabel("instructions per I/O", color=COLOURS["muted"])
    return made.svg


def _stack(
    axes: Any, row: float, variant: str, figures: Mapping[str, Any], order: Sequence[str]
) -> None:
    left = 0.0
    for name in order:
        width = figures["subsystems"].get(name, 0)
        if width > 0:
            axes.barh(
                [row],
                [width],
                left=left,
                height=0.82,
                color=COLOURS[subsystem_shade(name)],
                edgecolor=COLOURS["page"],
                linewidth=0.5,
            )
            left += width
    for text, x, away, side, colour in (
        (wording.decimal(figures["per_io"]), left, 4, "left", "fg"),
        (variant, 0, -4, "right", "muted"),
    ):
        axes.annotate(
            text,
            (x, row),
            (away, 0),
            textcoords="offset points",
            fontsize=9,
            color=COLOURS[colour],
            verticalalignment="center",
            horizontalalignment=side,
        )


def ordinary_svg(cells: Cells, variants: list[str]) -> str:
    """A row for each path of ordinary I/O, a mark for each variant; the dashed line is the goal."""
    height = _ROW_INCH * len(cells) + _AXIS_INCH
    ratios = [_ratio(cell, one) for cell in cells for one in cell["candidates"]]
    changes: list[float] = [ratio - 1 for ratio in ratios if ratio] or [0.0]
    said = (
        "Instructions of ordinary I/O against the baseline, by path and variant: from "
        f"{wording.change(1 + min(changes))} to {wording.change(1 + max(changes))}."
    )
    with svg.plot("ordinary", said, height) as made:
        axes = made.figure.add_axes(svg.box(height, 0.15, 0.35, 0.05, 0.55))
        axes.axvline(GOAL * 100, color=COLOURS["worse"], linestyle="--", linewidth=1)
        axes.axvline(0, color=COLOURS["muted"], linewidth=0.8)
        for row, cell in enumerate(cells):
            axes.axhline(row + _MARK, color=COLOURS["line"], linewidth=0.4)
            _marks(axes, row, cell, variants)
        edges = [1.1 * pick(2 * side * GOAL, *changes) for pick, side in ((min, -1), (max, 1))]
        axes.set_xlim(*(100 * edge for edge in edges))
        axes.set_ylim(len(cells) - 0.4, -0.75)
        axes.set_yticks([])
        svg.bare(axes, "bottom")
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:+.3g} %".replace("+0 %", "0"))
        axes.set_xlabel(
            f"instructions per I/O against {cells[0]['baseline']} (fewer is better)",
            color=COLOURS["muted"],
        )
    return made.svg


def _marks(axes: Any, row: int, cell: Mapping[str, Any], variants: list[str]) -> None:
    axes.text(
        0,
        row - 0.25,
        cell["path"],
        transform=axes.get_yaxis_transform(),
        color=COLOURS["fg"],
        fontsize=9,
        verticalalignment="center",
    )
    for candidate in cell["candidates"]:
        ratio = _ratio(cell, candidate)
        if ratio:
            shade = variant_shade(variants, candidate)
            axes.plot(
                [(ratio - 1) * 100],
                [row + _MARK],
                MARKERS[shade],
                color=COLOURS[shade],
                markersize=5.5,
                alpha=0.9,
            )


def _ratio(cell: Mapping[str, Any], candidate: str) -> float | None:
    base = cell["variants"].get(cell["baseline"])
    mine = cell["variants"].get(candidate)
    return mine["per_io"] / base["per_io"] if base and mine and base["per_io"] else None

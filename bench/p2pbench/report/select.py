# SPDX-License-Identifier: GPL-2.0
"""Parts of a report that sentences, tables and plots all pick out."""

from __future__ import annotations

from collections.abc import Iterable

from p2pbench.report.model import CountedPath, Report


def of_kind(report: Report, kind: str) -> list[CountedPath]:
    """The cells of the instruction counts of one kind: "p2p" or "ordinary"."""
    section = report["instructions"]
    return [cell for cell in section["cells"] if cell["kind"] == kind] if section else []


def ratios(cells: Iterable[CountedPath]) -> dict[str, list[tuple[str, float]]]:
    """Instructions against the baseline by candidate: the paths and the ratios of their medians."""
    found: dict[str, list[tuple[str, float]]] = {}
    for cell in cells:
        base = cell["variants"].get(cell["baseline"])
        for candidate in cell["candidates"]:
            if base and base["per_io"] and candidate in cell["variants"]:
                ratio = cell["variants"][candidate]["per_io"] / base["per_io"]
                found.setdefault(candidate, []).append((cell["path"], ratio))
    return found

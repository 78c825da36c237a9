# SPDX-License-Identifier: GPL-2.0
"""The report on the terminal: the verdict in plain words first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from p2pbench.base import units
from p2pbench.base.paths import shown
from p2pbench.records.kinds import is_peer
from p2pbench.records.metrics import FAMILIES, METRICS
from p2pbench.records.records import Side
from p2pbench.report import wording
from p2pbench.report.model import Cell, MemoryPoint, Report
from p2pbench.report.select import of_kind, ratios
from p2pbench.report.summary import is_alarming

STYLES = {
    "invalid": "bold red",
    "worse": "bold yellow",
    "better": "bold green",
    "equivalent": "green",
    "inconclusive": "cyan",
}
_CONSOLE_LINES = 8
# Without lines between the columns the tables fit a terminal of 80.
_PLAIN: dict[str, Any] = {
    "box": box.SIMPLE_HEAD,
    "title_justify": "left",
    "title_style": "bold",
    "header_style": "",
    "pad_edge": False,
    "padding": (0, 1),
}


def render(report: Report, console: Console, directory: Path) -> None:
    """Print verdict, tables, evidence, lost boots, and where the files in `directory` are."""
    _verdict(report, console)
    for compare in report["compares"]:
        if compare["cells"]:
            metric = METRICS[compare["cells"][0]["metric"]]
            _compared(
                compare,
                f"{compare['name']}: {FAMILIES[metric.family]} of "
                f"{_name(compare['candidate'])} against {_name(compare['baseline'])}",
                console,
            )
    _notes(report, console)
    _instructions(report, console)
    if report["memory"]:
        _memory(report["memory"]["points"], console)
    else:
        _registering(report, console)
    _evidence(report, console)
    _lost(report, console)
    console.print(
        f"\nFiles      {escape(shown(directory.resolve()))}/report.html, report.md, "
        "report.json, journal.jsonl",
        soft_wrap=True,
        highlight=False,
    )
    console.print(f"Repeat     {escape(report['reproduce'])}", soft_wrap=True, highlight=False)


def render_comparison(made: Mapping[str, Any], console: Console) -> None:
    """Print what two runs say about each other: `made` is what compare.compare() returns."""
    cells = [cell for compare in made["compares"] for cell in compare["cells"]]
    for doubt in made["doubts"]:
        console.print(Text(f"{doubt}.", style="bold red"))
    for refusal in made["refused"]:
        console.print(Text(f"Not compared: {refusal}.", style="bold yellow"))
    line = Text(f"{made['b']['run']} against {made['a']['run']}: ", style="bold")
    line.append(wording.headline({"cells": cells}) + ".", style="not bold")
    console.print(line)
    if made["too_few"]:
        console.print(Text(f"{made['too_few']}.", style="yellow"))
    for name in ("a", "b"):
        console.print(
            Text(f"{name.upper()}, {made[name]['run']}: {made[name]['aa']}.", style="dim")
        )
    for compare in made["compares"]:
        _compared(compare, compare["name"], console)
    if any(cell["blocks_needed"] for cell in cells):
        console.print(
            Text("In brackets: the number of boots in each run that would decide.", style="dim")
        )
    for note in dict.fromkeys(note for cell in cells for note in cell["notes"]):
        console.print(Text(f"Note: {note}.", style="dim"))
    console.print(
        Text(
            "Nothing is paired between runs: what else changed between them is in the "
            "difference too.",
            style="dim",
        )
    )
    for name, listed in (("A", made["only_a"]), ("B", made["only_b"])):
        if listed:
            console.print(
                Text(f"In {name} alone: {units.plural(len(listed), 'cell')}", style="yellow")
            )


def _verdict(report: Report, console: Console) -> None:
    for sentence in report["verdict"]:
        about, colon, rest = sentence.partition(": ")
        alarming = is_alarming(sentence)
        line = Text(about + colon, style="bold red" if alarming else "bold")
        line.append(rest, style="bold red" if alarming else "not bold")
        console.print(line)
    for problem in report["problems"]:
        console.print(Text(f"PROBLEM: {problem}", style="bold red"))
    for note in report["notes"]:
        if report["aa"] and note == report["aa"]["headline"]:
            continue  # an alarm stands on top already
        console.print(Text(f"Note: {note}", style="yellow"))


def _compared(compare: Mapping[str, Any], title: str, console: Console) -> None:
    """The headline of a compare and its cells."""
    console.print(Text(f"\n{title}", style="bold"))
    console.print(Text(compare["headline"][:1].upper() + compare["headline"][1:] + "."))
    timed = wording.has_latency(compare["cells"])
    table = Table(**_PLAIN)
    table.add_column("workload", no_wrap=True)
    for heading in ("change", _interval_heading(compare), *(["p99"] if timed else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", min_width=12)
    for cell in compare["cells"]:
        table.add_row(
            wording.label_of(cell),
            wording.change(cell["ratio"]),
            wording.change_range(cell["interval"]),
            *([wording.change(cell["latency"].get("p99"))] if timed else []),
            _verdict_text(cell),
        )
    console.print(table)


def _interval_heading(compare: Mapping[str, Any]) -> str:
    """With the confidence that the intervals have: more than 95 % where there are several looks."""
    found = [cell["interval"]["confidence"] for cell in compare["cells"] if cell["interval"]]
    return f"{100 * max(found, default=0.95):.4g} % interval"


def _name(cell: Side | Cell) -> str:
    return f"{cell['variant']}/{cell['provider']}"


def _verdict_text(cell: Mapping[str, Any]) -> Text:
    text = Text(cell["verdict"], style=STYLES[cell["verdict"]])
    if cell["blocks_needed"]:
        text.append(f" ({wording.blocks(cell['blocks_needed'])})", style="dim")
    if cell["reasons"]:
        text.append(f": {cell['reasons'][0]}", style="red")
    return text


def _notes(report: Report, console: Console) -> None:
    """What the tables need said, each thing once."""
    cells = [cell for compare in report["compares"] for cell in compare["cells"]]
    if any(cell["blocks_needed"] for cell in cells):
        console.print(Text("In brackets: the number of blocks that would decide.", style="dim"))
    for note in dict.fromkeys(note for cell in cells for note in cell["notes"]):
        console.print(Text(f"Note: {note}.", style="dim"))
    for gap in wording.gaps(cells):
        console.print(Text(f"Missing: {gap}", style="yellow"))


def _instructions(report: Report, console: Console) -> None:
    """Instructions per I/O of the P2P paths; ordinary I/O is summed up by the verdict."""
    table = Table(title="\nInstructions per P2P I/O", **_PLAIN)
    table.add_column("path", no_wrap=True)
    for heading in ("variant", "per I/O", "against baseline", "boots"):
        table.add_column(heading, justify="right", no_wrap=True)
    for cell in of_kind(report, "p2p"):
        against = {name: found[0][1] for name, found in ratios([cell]).items()}
        for variant, figures in cell["variants"].items():
            table.add_row(
                cell["path"],
                variant,
                wording.decimal(figures["per_io"]),
                wording.change(against.get(variant)),
                str(figures["n"]),
            )
    if table.row_count:
        console.print(table)


def _memory(points: Sequence[MemoryPoint], console: Console) -> None:
    """What it took to make memory of each size peer memory, over several boots."""
    table = Table(title="\nRegistering a BAR as peer memory, medians", **_PLAIN)
    table.add_column("BAR", justify="right", no_wrap=True)
    for heading in ("variant", "memory", "struct pages", "took", "removing took", "boots"):
        table.add_column(heading, justify="right", no_wrap=True)
    for point in sorted(points, key=lambda one: int(one["bar_bytes"])):
        table.add_row(
            units.amount(point["bar_bytes"]),
            point["variant"],
            units.amount(point["overhead_bytes"]["median"]),
            wording.count(point["device_zone_pages"]),
            wording.span(point["register_ns"]["median"]),
            wording.span((point["remove_ns"] or {}).get("median")),
            str(point["n"]),
        )
    if table.row_count:
        console.print(table)


def _registering(report: Report, console: Console) -> None:
    """What it took to make memory of each size peer memory."""
    table = Table(title="\nRegistering a BAR as peer memory", **_PLAIN)
    table.add_column("variant", no_wrap=True)
    for heading in ("BAR", "took", "memory", "struct pages", "removing took", "boots"):
        table.add_column(heading, justify="right", no_wrap=True)
    rows = [row for row in report["providers"] if row["register_ns"] is not None]
    for row in sorted(rows, key=lambda row: (row["pool_bytes"], row["variant"])):
        table.add_row(
            row["variant"],
            units.amount(row["pool_bytes"]),
            wording.span(row["register_ns"]),
            units.amount(row["register_bytes"]),
            wording.count(row["device_zone_pages"]),
            wording.span(row["remove_ns"]),
            str(row["n"]),
        )
    if table.row_count:
        console.print(table)


def _evidence(report: Report, console: Console) -> None:
    table = Table(title="\nEvidence of the P2P cells", **_PLAIN)
    table.add_column("cell", no_wrap=True)
    for heading in ("requests", "bytes", "fallbacks", "valid"):
        table.add_column(heading, justify="right", no_wrap=True)
    for cell in report["cells"]:
        if is_peer(cell["provider"]):
            bad = cell["states"]["ok"] < _boots_of(cell)
            table.add_row(
                f"{_name(cell)} {wording.label(cell['workload'])}",
                *_evidence_row(cell),
                style="red" if bad else None,
            )
    if table.row_count:
        console.print(table)


def _boots_of(cell: Cell) -> int:
    states = cell["states"]
    return states["ok"] + states["invalid"] + states["failed"] + states["missing"]


def _evidence_row(cell: Cell) -> list[str]:
    valid = f"{cell['states']['ok']} of {_boots_of(cell)}"
    evidence = cell["evidence"]
    if evidence is None:
        return ["–"] * 3 + [valid]
    return [
        wording.count(evidence["requests"]),
        units.amount(evidence["bytes"]),
        wording.count(evidence["fallbacks"]),
        valid,
    ]


def _lost(report: Report, console: Console) -> None:
    for boot in report["lost"]:
        console.print(
            Text(
                f"\nBoot {boot['boot']} {wording.ended(boot)}: {boot['reason']}",
                style="yellow" if boot["repeated"] else "red",
            )
        )
        for line in boot["console"][-_CONSOLE_LINES:]:
            console.print(Text(f"    {line}", style="dim"), soft_wrap=True)

# SPDX-License-Identifier: GPL-2.0
"""Figures and verdicts in words, the same on the terminal, in Markdown and in HTML."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from p2pbench.base.units import amount, plural, three
from p2pbench.records.kinds import PATTERN, PERF
from p2pbench.records.metrics import FAMILIES, METRICS

VERDICTS = ("invalid", "worse", "better", "equivalent", "inconclusive")
MANY_BLOCKS = 1000
# How far off its farthest point may be for a fitted line to say anything, in parts of the line.
MOST_OFF = 0.5


def label(workload: str) -> str:
    """The name of a workload as a person says it: "randread 4k qd1"."""
    return workload.removeprefix("count-").replace("-", " ").replace("mq deadline", "mq-deadline")


def has_latency(cells: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a latency stands beside any cell's figure, so that a column for it says something.

    A cell that is itself a latency, or has a metric of its own for it, has none.
    """
    return any(cell["latency"].get(name) for cell in cells for name in ("p50", "p99"))


def label_of(cell: Mapping[str, Any]) -> str:
    """The same of a compared cell, with the percentile where it is one of latency."""
    return f"{label(cell['workload'])} {METRICS[cell['metric']].percentile}".rstrip()


def virtual_meaning(section: Mapping[str, Any]) -> str:
    """What throughput in virtual time is, and what it is not."""
    return (
        "Throughput in virtual time is what a fixed number of I/Os moves by a clock that "
        "counts the guest's instructions, on one CPU on which each takes "
        f"{section['ns_per_instruction']} ns, with a disk and a network that take no time: it "
        "says what the kernel's code costs, and nothing of caches, memory bandwidth, several "
        "CPUs or the latency of devices, nor how many bytes a second hardware would move."
    )


def ended(boot: Mapping[str, Any]) -> str:
    """How a boot ended that is not a result of the report: "lost at setup, run again"."""
    if boot["status"] == "ok":
        return "repeated"
    return f"{boot['status']} at {boot['stage']}" + (", run again" if boot["repeated"] else "")


def change(ratio: float | None) -> str:
    """A ratio as a change: 0.88 -> "-12 %", 1.0014 -> "+0.14 %", 28 -> "×28.0"."""
    if ratio is None:
        return "–"
    if ratio >= 10:
        return f"×{three(ratio)}"
    percent = (ratio - 1) * 100
    return f"{_percent(percent, _digits([percent]))} %"


def change_range(interval: Mapping[str, Any] | None) -> str:
    """The bounds of an interval as changes in percent: "[-14.2, -8.9]".

    A digit after the point at least, to hold a bound against the margin.
    """
    if interval is None:
        return "–"
    bounds = [(interval[key] - 1) * 100 for key in ("low", "high")]
    digits = max(1, _digits(bounds))
    return "[" + ", ".join(_percent(bound, digits) for bound in bounds) + "]"


def rate(bytes_per_s: float) -> str:
    """Throughput in MiB/s, three digits."""
    return f"{three(bytes_per_s / 2**20)} MiB/s"


def count(value: float | None) -> str:
    """A whole number with commas."""
    return "–" if value is None else f"{value:,.0f}"


def decimal(value: float | None) -> str:
    """A figure per I/O: one digit after the point below 100."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}"


def short(value: float) -> str:
    """A round number that needs little room: 600, 2.5 k, 1.5 M."""
    for unit, factor in ((" M", 1e6), (" k", 1e3), ("", 1)):
        if value >= factor:
            break
    return f"{value / factor:g}{unit}"


def signed(value: float | None) -> str:
    """A difference per I/O with its sign."""
    if value is None:
        return "–"
    text = decimal(abs(value))
    return text if text == "0.0" else ("-" if value < 0 else "+") + text


def probability(value: float | None) -> str:
    """A p value, as small as permutations can show."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def fraction(part: float, whole: float) -> str:
    """How small a part is of a whole: "1/520 of the", "1/18,000 of the", in per cent when it is no
    small part."""
    if part <= 0 or whole <= 0:
        return "too little to be seen of the"
    shown = f"1/{two(whole / part)}" if part * 10 <= whole else f"{part / whole * 100:.0f} %"
    return f"{shown} of the"


def two(value: float) -> str:
    """Two significant digits of a number from 0 on: "18,000", "7.8", "0.12", "0"."""
    if value == 0:
        return "0"
    digits = 1 - math.floor(math.log10(value))
    return f"{round(value, digits):,.{max(0, digits)}f}"


def pool_use(bytes_: float | None) -> str:
    """The most that a pool was seen to have given out; of what is short nothing may be seen."""
    return "not caught" if bytes_ == 0 else amount(bytes_)


def no_line(fit: Mapping[str, Any]) -> str:
    """Why a fitted line describes nothing; "" when it does."""
    if fit["worst"] > MOST_OFF:
        return f"no line: the farthest point is {fit['worst'] * 100:.0f} % off"
    return "no line: its slope cannot be told from 0" if fit["per_gib"]["low"] < 0 else ""


def span(ns: float | None) -> str:
    """Nanoseconds in ns, µs, ms or s, three digits."""
    if ns is None:
        return "–"
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(ns) >= factor:
            return f"{three(ns / factor)} {unit}"
    return f"{ns:.0f} ns"


def blocks(needed: int | None) -> str:
    """How many blocks would decide."""
    if needed is None:
        return "–"
    return f"over {MANY_BLOCKS:,}" if needed > MANY_BLOCKS else f"about {needed:,}"


def headline(compare: Mapping[str, Any]) -> str:
    """One compare in one sentence, without its title."""
    cells: Sequence[Mapping[str, Any]] = compare["cells"]
    if not cells:
        return "nothing compared, since this run planned no pair of boots for it"
    parts = []
    for verdict in VERDICTS:
        mine = [cell for cell in cells if cell["verdict"] == verdict]
        if mine:
            parts.append(f"{len(mine)} {verdict}{extreme(verdict, mine)}")
    return f"{plural(len(cells), 'cell')} compared: " + ", ".join(parts)


def counted_by(instrument: str) -> str:
    """What the figures of an instrument are, in a sentence or two."""
    if instrument == PERF:
        return (
            "Instructions of the whole kernel on all CPUs, the idle loop included, per I/O: "
            "medians over the boots. Counted by perf stat, which knows neither functions nor "
            "subsystems here."
        )
    return (
        "Instructions of the kernel's I/O path, per I/O, attributed by function and summed by "
        "subsystem: medians over the boots. What belongs to no subsystem (scheduling, timers, "
        'copies, the idle loop) stands under "other" and is not part of the path.'
        + (f" Counted by {instrument}." if instrument else "")
    )


def slowdown(section: Mapping[str, Any]) -> str:
    """What the plugin costs a guest: "A boot with the plugin ... takes 5.0 s ..."; or ""."""
    boot_s = section.get("boot_s")
    if not boot_s or section["instrument"] in ("", PERF):
        return ""
    return (
        f"A boot with the plugin, and one CPU, takes {boot_s['counted']:.1f} s to a ready "
        f"agent, one without it {boot_s['plain']:.1f} s (medians): "
        f"{boot_s['counted'] / boot_s['plain']:.2f} times as long."
    )


def without_pairs(cells: Sequence[Mapping[str, Any]]) -> str:
    """The cells that have no pair, by metric: "16 cells of instructions per I/O have no pair"."""
    found = Counter(cell["metric"] for cell in cells if not cell["pairs"])
    told = " and ".join(
        f"{plural(number, 'cell')} of {METRICS[metric].shown}" for metric, number in found.items()
    )
    return f"{told} {'has' if found.total() == 1 else 'have'} no pair" if told else ""


def gaps(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """The pairs that could not be formed, one line per boot and reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        for gap in cell["missing"]:
            found.setdefault((gap["boot"], gap["reason"]), []).append(label_of(cell))
    return [
        f"{boot}: {reason} ({', '.join(names) if len(names) < 3 else plural(len(names), 'cell')})"
        for (boot, reason), names in found.items()
    ]


def least_p(compares: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Of each family's first compare with a p (Holm) that could not be smaller, why; by its name.

    The least p of n pairs is 2 / 2^n (significance.py), and Holm takes it as often as there are
    cells of the family. Where a run had several looks, or too many pairs for an exact test, p is
    another.
    """
    cells = [cell for compare in compares for cell in compare["cells"]]
    tested = Counter(_family(cell) for cell in cells if cell.get("p") is not None)
    first: dict[str, tuple[str, str]] = {}
    for compare in compares:
        for cell in compare["cells"]:
            pairs, family = len(cell["pairs"]), _family(cell)
            least = 2 / 2**pairs
            if cell.get("p") == least and cell["p_holm"] == least * tested[family]:
                first.setdefault(
                    family,
                    (
                        compare["name"],
                        f"{probability(cell['p_holm'])} is the least that p (Holm) can be here: "
                        f"{pairs} pairs give no p under 2/{2 ** pairs:,}, and there are "
                        f"{plural(tested[family], 'cell')} of {FAMILIES[family]}.",
                    ),
                )
    return dict(first.values())


def _family(cell: Mapping[str, Any]) -> str:
    return METRICS[cell["metric"]].family


def evidence_sentence(totals: Mapping[str, Any]) -> str:
    """Whether the data went where the cells claim, in one sentence."""
    cells, p2p = totals["cells"], totals["p2p"]
    sums = f"{p2p['requests']:,} P2P requests, {p2p['fallbacks']:,} fallbacks"
    if cells["invalid"]:
        return f"Evidence INVALID in {cells['invalid']} of {plural(cells['all'], 'cell')} ({sums})"
    if not cells["peer"]:
        return "No cell of this run uses peer memory"
    if not cells["peer_proved"]:
        return "No evidence: no P2P cell has a result"
    which = (
        "All evidence valid"
        if cells["peer_proved"] == cells["peer"]
        else (
            f"Evidence valid in the {cells['peer_proved']} of {cells['peer']} P2P cells with "
            "a result"
        )
    )
    return f"{which}: {sums}"


def proves_data(cell: Mapping[str, Any]) -> bool:
    """Whether a cell is there to prove that data arrives as it was sent; it is not timed."""
    return cell["kind"] == PATTERN or bool(cell["verify"])


def integrity_sentence(cells: Sequence[Mapping[str, Any]]) -> str:
    """Whether the data arrived as it was sent, in one sentence."""
    mine = [cell for cell in cells if proves_data(cell)]
    whole = sum(cell["states"]["ok"] == len(cell["samples"]) for cell in mine)
    if not mine:
        return "Data integrity: no cell of this run proves it"
    only = "" if whole == len(mine) else "ONLY "
    return f"Data integrity: proved in every boot of {only}{whole} of {plural(len(mine), 'cell')}"


def extreme(verdict: str, cells: Sequence[Mapping[str, Any]]) -> str:
    """The cell that is furthest out among those with this verdict, in brackets; "" for others."""
    if verdict not in ("worse", "better"):
        return ""
    upwards = METRICS[cells[0]["metric"]].less_is_better == (verdict == "worse")
    cell = (max if upwards else min)(cells, key=lambda one: float(one["ratio"]))
    return (
        f" ({'worst' if verdict == 'worse' else 'best'}: {label_of(cell)} "
        f"{change(cell['ratio'])} {change_range(cell['interval'])})"
    )


def _digits(percents: Sequence[float]) -> int:
    most = max(abs(percent) for percent in percents)
    return 0 if most >= 10 else 1 if most >= 1 else 2


def _percent(percent: float, digits: int) -> str:
    text = f"{percent:+.{digits}f}"
    return "0" if float(text) == 0 else text

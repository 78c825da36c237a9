# SPDX-License-Identifier: GPL-2.0
"""The verdict: at most five plain sentences, made from the data of a report, said first everywhere.

One subject each: throughput, memory and time to register, instructions of a P2P I/O, what everybody
else pays, and whether to trust it all. The last comes first when the answer is no.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from p2pbench.analysis.estimate import least_found
from p2pbench.analysis.schedule import Looks, looks_from
from p2pbench.base import units
from p2pbench.records.kinds import PERF, is_peer
from p2pbench.records.metrics import (
    AA,
    FAMILIES,
    INSTRUCTIONS,
    LATENCY,
    METRICS,
    THROUGHPUT,
    VIRTUAL,
)
from p2pbench.report import wording
from p2pbench.report.model import Aa, Compare, Compared, CountedPath, Memory, Report
from p2pbench.report.select import of_kind, ratios

NOT_WHOLE, ALARM = "NOT WHOLE", "A/A ALARM"
# The verdicts that answer a question.
_DECIDED = ("worse", "better", "equivalent")
# Which instructions of an I/O were counted.
_OF_PATH, _BY_PERF = " path instructions", " (instructions of the whole kernel, perf stat)"


def sentences(report: Report) -> list[str]:
    """The verdict of a report; subjects that the run does not measure are left out."""
    found = [
        _throughput(report),
        _registering(report["memory"]),
        _peer_work(report),
        _ordinary_work(report),
    ]
    doubt, trust = _trust(report)
    said = [sentence for sentence in found if sentence]
    return [trust, *said] if doubt else [*said, trust]


def _paired(report: Report, cells: Iterable[CountedPath]) -> dict[str, list[tuple[str, float]]]:
    """The same, each ratio as the comparisons have it: of pairs, the one that has a verdict.

    A path without a comparison keeps the ratio of its medians; an invalid one has no ratio.
    """
    found: dict[str, list[tuple[str, float]]] = {}
    for cell in cells:
        for candidate, medians in ratios([cell]).items():
            compared = _counted(report, [cell], candidate)
            ratio = compared[0]["ratio"] if compared else medians[0][1]
            if ratio is not None:
                found.setdefault(candidate, []).append((cell["path"], ratio))
    return found


def is_alarming(sentence: str) -> bool:
    """Whether a sentence of the verdict says that the rest of it is in doubt."""
    return sentence.startswith((NOT_WHOLE, ALARM))


def _throughput(report: Report) -> str:
    """Throughput and latency in virtual time, which decides most, then by the clock on the wall."""
    if report["compares"] and not _cells(report["compares"]):
        return "Nothing compared: this run planned no pair of boots."
    told = _in_virtual_time(report["compares"])
    wall = _on_the_wall(report)
    if wall:
        told.append(f"{'By the clock on the wall' if told else 'Throughput'}, {wall}")
    if report["virtual"] and report["virtual"]["absent"]:
        told.append(
            "Throughput in virtual time was not measured: "
            f"{report['virtual']['absent'].rstrip('.')}"
        )
    return f"{'. '.join(told)}." if told else ""


def _in_virtual_time(compares: Sequence[Compare]) -> list[str]:
    """A sentence for each candidate."""
    found: dict[tuple[str, str], list[Compared]] = {}
    for compare in compares:
        for cell in compare["cells"]:
            if METRICS[cell["metric"]].family in (VIRTUAL, LATENCY):
                found.setdefault(_sides(compare), []).append(cell)
    return [_of_candidate(*sides, cells) for sides, cells in found.items()]


def _is_answered(report: Report) -> bool:
    """Whether virtual time has decided anything: then the wall's clock need not."""
    return any(
        cell["metric"] == VIRTUAL and cell["verdict"] in _DECIDED
        for cell in _cells(report["compares"])
    )


def _of_candidate(baseline: str, candidate: str, cells: Sequence[Compared]) -> str:
    """Whether it costs throughput through peer memory, first; then host memory, and latency."""
    timed = [cell for cell in cells if cell["metric"] == VIRTUAL]
    peer = [cell for cell in timed if is_peer(cell["device"])]
    host = [cell for cell in timed if not is_peer(cell["device"])]
    parts = [_answer(baseline, candidate, peer or host, "peer" if peer else "host")]
    if peer and host:
        parts.append(f"host memory: {_decided(host)}")
    parts += _latencies([cell for cell in cells if cell["metric"] != VIRTUAL])
    return f"In virtual time, {'; '.join(parts)}"


def _answer(baseline: str, candidate: str, cells: Sequence[Compared], memory: str) -> str:
    """Whether the candidate costs throughput: no, in how many cases, or not known."""
    verdicts = [cell["verdict"] for cell in cells]
    costs = f"throughput through {memory} memory"
    if "worse" in verdicts:
        worse, every = verdicts.count("worse"), units.plural(len(cells), "case")
        told = _decided(cells).removeprefix(f"of {every} ")
        return f"{candidate} costs {costs} in {worse} of {every}: against {baseline}, {told}"
    if all(cell["verdict"] in _DECIDED or _costs_nothing(cell) for cell in cells):
        return f"{candidate} costs no {costs}: against {baseline}, {_decided(cells)}"
    return f"it is open whether {candidate} costs {costs}: against {baseline}, {_decided(cells)}"


def _costs_nothing(cell: Compared) -> bool:
    """Whether a loss beyond the margin is ruled out, however large the gain may be."""
    interval = cell["interval"]
    return cell["verdict"] != "invalid" and bool(
        interval and interval["low"] >= 1 / (1 + cell["margin"])
    )


def _decided(cells: Sequence[Compared]) -> str:
    """How many cells have which verdict, and the margin that "equivalent" is said with."""
    return _tally(cells, f"equivalent within {cells[0]['margin'] * 100:g} %")


def _latencies(cells: Sequence[Compared]) -> list[str]:
    """The percentiles of latency together: the tail is what a user feels."""
    measured = {cell["metric"] for cell in cells}
    percentiles = [metric.percentile for name, metric in METRICS.items() if name in measured]
    return [f"latency ({', '.join(percentiles)}): {_decided(cells)}"] if cells else []


def _on_the_wall(report: Report) -> str:
    """The variants against each other through peer memory; else the matrix's first question.

    Short where virtual time has answered: how many cases are open here is then not the point.
    """
    timed = [
        compare
        for compare in report["compares"]
        if compare["cells"] and compare["cells"][0]["metric"] == THROUGHPUT
    ]
    if not timed:
        return ""
    first = next((compare for compare in timed if _is_peer(compare)), timed[0])
    mine = [
        compare for compare in timed if _sides(compare) == _sides(first) and _is_peer(compare)
    ] or [first]
    cells, rest = _cells(mine), [compare for compare in timed if compare not in mine]
    is_open = {cell["verdict"] for cell in cells} in (
        {"inconclusive"},
        {"inconclusive", "equivalent"},
    )
    if is_open and _is_peer(first) and _is_answered(report):
        return (
            f"no difference shown in {units.plural(len(cells), 'case')}"
            f"{_unseen(report, cells)}{_elsewhere(rest)}"
        )
    about = (
        first["title"]
        if len(mine) == 1
        else ("{1} against {0} through peer memory".format(*_sides(first)))
    )
    return (
        f"{about}: {'no difference shown; ' if is_open else ''}{_tally(cells)}"
        f"{_unseen(report, cells)}{_elsewhere(rest)}"
    )


def _is_peer(compare: Compare) -> bool:
    sides = compare["baseline"], compare["candidate"]
    return bool(
        sides[0]["provider"] == sides[1]["provider"]
        and is_peer(sides[0]["provider"])
        and sides[0]["variant"] != sides[1]["variant"]
    )


def _sides(compare: Compare) -> tuple[str, str]:
    return compare["baseline"]["variant"], compare["candidate"]["variant"]


def _tally(cells: Sequence[Compared], equivalent: str = "equivalent") -> str:
    """How many cells have which verdict; equivalent: how that one is said."""
    counts = {
        verdict: [cell for cell in cells if cell["verdict"] == verdict]
        for verdict in wording.VERDICTS
    }
    told = [
        (
            equivalent if verdict == "equivalent" else verdict,
            len(mine),
            wording.extreme(verdict, mine),
        )
        for verdict, mine in counts.items()
        if mine
    ]
    if len(told) == 1:
        verdict, number, extreme = told[0]
        return f"{verdict} in {f'all {number} cases' if number > 1 else 'the only case'}{extreme}"
    return f"of {units.plural(len(cells), 'case')} " + ", ".join(
        f"{number} {verdict}{extreme}" for verdict, number, extreme in told
    )


def _unseen(report: Report, cells: Sequence[Compared]) -> str:
    """Of the open cells: how wide the median interval is, and the loss they would rather miss."""
    mine = [cell for cell in cells if cell["verdict"] == "inconclusive" and cell["interval"]]
    if not mine:
        return ""
    intervals = [cell["interval"] for cell in mine if cell["interval"]]
    width = statistics.median(
        math.sqrt(interval["high"] / interval["low"]) for interval in intervals
    )
    margin, pairs = mine[0]["margin"], max(len(cell["pairs"]) for cell in mine)
    said = f"median interval ±{wording.two((width - 1) * 100)} %, margin ±{margin * 100:g} %"
    looks = _looks(report)
    tested = len(_of_family(_paired_cells(report["compares"]), THROUGHPUT))
    if pairs >= looks.fewest(THROUGHPUT, tested):
        least = least_found(
            math.log(width), pairs, margin, looks.alpha, tested, looks.deciding_share(THROUGHPUT)
        )
        loss = -math.expm1(-least) * 100
        said += f": a loss under {wording.two(loss)} % would rather be missed than found"
    return f" ({said})"


def _elsewhere(compares: Sequence[Compare]) -> str:
    """Of the other compares: how many cells differ, and in what."""
    told = []
    for compare in compares:
        found = Counter(cell["verdict"] for cell in compare["cells"])
        sides = " against ".join(
            "{variant}/{provider}".format(**side)
            for side in (compare["candidate"], compare["baseline"])
        )
        told += [
            f"{found[verdict]} {verdict} ({sides})"
            for verdict in ("invalid", "worse", "better")
            if found[verdict]
        ]
    cells = len(_cells(compares))
    if not cells:
        return ""
    return f"; of {units.plural(cells, 'other case')} {', '.join(told) or 'none better or worse'}"


def _peer_work(report: Report) -> str:
    """Instructions of a P2P I/O."""
    section = report["instructions"]
    if section and section["absent"]:
        return f"Instructions per I/O were not counted: {section['absent'].rstrip('.')}."
    cells = [cell for cell in of_kind(report, "p2p") if is_peer(cell["device"])]
    by_perf = section and section["instrument"] == PERF
    told = []
    for candidate, found in _paired(report, cells).items():
        verdicts = _by_verdict(_counted(report, cells, candidate))
        told.append(
            f"{candidate} executes {_span(found)}{'' if by_perf else _OF_PATH} than "
            f"{cells[0]['baseline']} ({units.plural(len(found), 'path')}"
            f"{': ' if verdicts else ''}{verdicts})"
        )
    return f"Work per P2P I/O{_BY_PERF if by_perf else ''}: {'; '.join(told)}." if told else ""


def _span(found: Sequence[tuple[str, float]]) -> str:
    """From the least to the most of these ratios: "0.20 to 1.9 % fewer", "-0.1 % to +2 % more"."""
    low, high = (pick(ratio for _, ratio in found) for pick in (min, max))
    if low == high:
        return _amount_of(low)
    if high <= 1 or low >= 1:
        near, far = sorted(abs(bound - 1) * 100 for bound in (low, high))
        return f"{_percent(near)} to {_percent(far)} % {'fewer' if high <= 1 else 'more'}"
    return f"between {_amount_of(low)} and {_amount_of(high)}"


def _amount_of(ratio: float) -> str:
    return f"{_percent(abs(ratio - 1) * 100)} % {'fewer' if ratio < 1 else 'more'}"


def _percent(value: float) -> str:
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _ordinary_work(report: Report) -> str:
    """What everybody else pays: instructions of I/O that has nothing to do with P2P."""
    cells = of_kind(report, "ordinary")
    told = []
    for candidate, found in _paired(report, cells).items():
        verdicts = _by_verdict(_counted(report, cells, candidate))
        told.append(f"{candidate}: {_middle_and_worst(found)}{', ' if verdicts else ''}{verdicts}")
    if not told:
        return ""
    return (
        f"Work per ordinary I/O, {units.plural(len(cells), 'path')} against "
        f"{cells[0]['baseline']}: {'; '.join(told)}."
    )


def _middle_and_worst(found: Sequence[tuple[str, float]]) -> str:
    """Of these paths the median, and the one that costs most, or saves least."""
    path, most = max(found, key=lambda one: one[1])
    middle = statistics.median(ratio for _, ratio in found)
    said = "no change in the median" if _is_nothing(middle) else f"median {_amount_of(middle)}"
    if _is_nothing(most):
        return f"{said}, no path more"
    if most < 1:
        return f"{said}, every path fewer, the least by {_percent((1 - most) * 100)} %"
    return f"{said}, the worst path {wording.change(most)} ({path})"


def _is_nothing(ratio: float) -> bool:
    """Whether a ratio rounds to no change."""
    return wording.change(ratio) == wording.change(1)


def _by_verdict(cells: Iterable[Compared]) -> str:
    """How many of these cells have which verdict: "7 equivalent, 5 inconclusive"."""
    found = Counter(cell["verdict"] for cell in cells)
    return ", ".join(f"{found[one]} {one}" for one in wording.VERDICTS if found[one])


def _counted(report: Report, cells: Iterable[CountedPath], candidate: str) -> list[Compared]:
    """What the comparisons say of the instructions of these counted cells and a candidate."""
    names = {cell["workload"] for cell in cells}
    return [
        cell
        for compare in report["compares"]
        if compare["candidate"]["variant"] == candidate
        for cell in compare["cells"]
        if cell["workload"] in names and cell["metric"] == INSTRUCTIONS
    ]


def _registering(memory: Memory | None) -> str:
    """The largest BAR that two variants registered: who takes most, who least."""
    points = memory["points"] if memory else []
    sizes = [
        size
        for size in {point["bar_bytes"] for point in points}
        if sum(point["bar_bytes"] == size for point in points) > 1
    ]
    if not sizes:
        return ""
    mine = sorted(
        (point for point in points if point["bar_bytes"] == max(sizes)),
        key=lambda point: float(point["overhead_bytes"]["median"]),
    )
    least, most = mine[0], mine[-1]
    small, large = (
        (point["overhead_bytes"]["median"], point["register_ns"]["median"])
        for point in (least, most)
    )
    return (
        f"Memory and time to register a {units.amount(least['bar_bytes'])} BAR: "
        f"{least['variant']} {units.amount(small[0])} and {wording.span(small[1])}, "
        f"{most['variant']} {units.amount(large[0])} and {wording.span(large[1])}: "
        f"{wording.fraction(small[0], large[0])} memory and "
        f"{wording.fraction(small[1], large[1])} time."
    )


def _trust(report: Report) -> tuple[bool, str]:
    """Whether there is ground for doubt, and the sentence."""
    problems, aa = report["problems"], report["aa"]
    alarms = aa["alarms"] if aa else 0
    paths = [
        wording.evidence_sentence(report["totals"]),
        wording.integrity_sentence(report["cells"]),
    ]
    check = [_self_check(aa)]
    # rule: a report whose A/A raises an alarm says so on top
    told = [*(check + paths if alarms else paths + check), *_too_few(report)]
    if problems:
        told.insert(0, f"{NOT_WHOLE}: {units.plural(len(problems), 'problem')} (listed below)")
    return bool(problems or alarms), ". ".join(told) + "."


def _self_check(aa: Aa | None) -> str:
    """A kernel against itself must show no difference."""
    cells = _cells(aa["compares"]) if aa else []
    paired = _paired_cells(aa["compares"]) if aa else []
    if aa is None or not cells:
        return "No A/A check in this run"
    if not paired:
        return f"No A/A check in this run: {wording.without_pairs(cells)}"
    if aa["alarms"]:
        if aa.get("headline"):  # names the cells
            return str(aa["headline"]).rstrip(".")
        return (
            f"{ALARM} in {aa['alarms']} of {units.plural(aa['cells'], 'cell')}: a kernel "
            "differs from itself, so differences of that size mean nothing here"
        )
    rest = wording.without_pairs(cells)
    kernels = " and ".join(sorted({one["baseline"]["variant"] for one in aa["compares"]}))
    return (
        f"A/A: {kernels} nowhere better or worse than itself "
        f"({units.plural(len(paired), 'cell')}: "
        f"{_by_verdict(paired)}{'; ' + rest if rest else ''})"
    )


def _too_few(report: Report) -> list[str]:
    """That no difference, however large, could have been called one with so few blocks.

    It is said of all cells of a family, or where some have enough, of the open ones that have not.
    """
    looks, found = _looks(report), dict[tuple[int, str], list[str]]()
    against_itself = report["aa"]["compares"] if report["aa"] else []
    for prefix, compares, what in (
        ("", report["compares"], "call any of {} better or worse"),
        (AA, against_itself, "raise an A/A alarm in any of {}"),
    ):
        for family in FAMILIES:
            if family == THROUGHPUT and _is_answered(report):
                continue
            cells = _of_family(_cells(compares), family)
            paired = [cell for cell in cells if cell["pairs"]]
            needed = looks.fewest(prefix + family, len(paired))
            few = [cell for cell in paired if len(cell["pairs"]) < needed]
            if len(few) < len(paired):
                few = [cell for cell in few if cell["verdict"] == "inconclusive"]
            if few:
                rest = wording.without_pairs(cells)
                pairs = max(len(cell["pairs"]) for cell in few)
                found.setdefault((pairs, what), []).append(
                    f"{units.plural(len(few), 'cell')} of {FAMILIES[family]} ({needed} can"
                    f"{'; ' + rest if rest else ''})"
                )
    return [
        f"{units.plural(pairs, 'block')} cannot {what.format(' or '.join(cells))}"
        for (pairs, what), cells in found.items()
    ]


def _of_family(cells: Iterable[Compared], family: str) -> list[Compared]:
    return [cell for cell in cells if METRICS[cell["metric"]].family == family]


def _looks(report: Report) -> Looks:
    return looks_from(report["stopping"]) if report["stopping"] else Looks((1,))


def _paired_cells(compares: Iterable[Compare]) -> list[Compared]:
    return [cell for cell in _cells(compares) if cell["pairs"]]


def _cells(compares: Iterable[Compare]) -> list[Compared]:
    return [cell for compare in compares for cell in compare["cells"]]

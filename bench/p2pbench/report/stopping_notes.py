# SPDX-License-Identifier: GPL-2.0
"""What a report says of looks: when a run could stop, what it left out, and what its errors are.

What a look does is stopping.py's, when it is taken and what it may decide schedule.py's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from p2pbench.analysis.estimate import FEWEST_PAIRS
from p2pbench.analysis.questions import questions
from p2pbench.analysis.schedule import Looks, looks_of
from p2pbench.analysis.significance import ALPHA, fewest_pairs
from p2pbench.analysis.verdicts import Comparison
from p2pbench.base.units import in_words, plural
from p2pbench.records.journal import Journal
from p2pbench.records.metrics import FAMILIES


def first_decision(looks: Looks, family: str, cells: Sequence[tuple[int, int]]) -> str:
    """From which block on a run can call a cell better or worse, in words, before it begins.

    cells: of each of the family, how many blocks are planned, and how many a budget could add up
    to.
    """
    needed = fewest_pairs(len(cells), looks.deciding_share(family))
    return "; ".join(
        _decision(looks, family, needed, number, *blocks)
        for blocks, number in sorted(Counter(cells).items(), reverse=True)
    )


def _decision(looks: Looks, family: str, needed: int, number: int, blocks: int, most: int) -> str:
    """The same of a number of cells that have as many blocks; needed: the fewest that decide."""
    which = f"{plural(number, 'cell')} of {FAMILIES[family]}"
    any_cell = f"call any of {which} better or worse"
    if blocks < needed:
        only = ": what it can show is that cells are equivalent" if blocks >= FEWEST_PAIRS else ""
        more = (
            f"; with a BUDGET it goes on to {most}" if not looks.budget_s and most >= needed else ""
        )
        return f"{plural(blocks, 'block')} cannot {any_cell}, which takes {needed}{only}{more}"
    if not looks.budget_s:
        return f"{plural(blocks, 'block')} can {any_cell}, which takes {needed}"
    return (
        f"the first of {which} can be called better or worse after "
        f"{looks.deciding(family)[0]} blocks, with a p of at most "
        f"{100 * looks.deciding_share(family):.3g} % after Holm; equivalent at any look"
    )


def section(journal: Journal, found: Sequence[Comparison]) -> dict[str, Any]:
    """What the report says of stopping; `found` are all comparisons of the run."""
    looks = looks_of(journal.header)
    taken = sum(look.record["why"] == "planned" for look in journal.looks)
    cells = [one for one in found if not one.question.second]
    still_open = sum(one.verdict == "inconclusive" for one in cells)
    return looks.as_json() | {
        "used_looks": taken + (1 if still_open or not taken else 0),
        "settled": len(cells) - still_open,
        "open": still_open,
        "rates": _rates(journal),
        "skipped_boots": list(journal.skipped),
        "skipped_why": list(dict.fromkeys(journal.skipped.values())),
    }


def notes(journal: Journal) -> list[str]:
    """How the error rate of a run with a budget holds, and what it left out, in words."""
    looks = looks_of(journal.header)
    if not looks.budget_s:
        return []
    reasons = list(journal.skipped.values())
    left_out = [
        f"{reasons.count(reason)} boots were skipped: {reason}" for reason in dict.fromkeys(reasons)
    ]
    return [
        f"this run had a budget of {in_words(looks.budget_s)}: its verdicts were looked at after "
        f"{', '.join(map(str, looks.blocks))} blocks, as far as it came; {_rates(journal)}; a "
        "verdict stays as it is",
        *left_out,
    ]


def disagreements(journal: Journal, found: Sequence[Comparison]) -> list[str]:
    """Where the verdicts that the run acted on are not those of its own boots."""
    now = {one.question.name: one for one in found}
    wrong = []
    for look in journal.looks:
        number = look.record["look"]
        for name, verdict in look.record["verdicts"].items():
            one = now.get(name)
            derived = one.verdict if one and one.look == number else "inconclusive"
            if derived != verdict:
                wrong.append(
                    f"{name}: look {number} called it {verdict}, its boots make it "
                    f"{derived}: the journal was changed, or another version of the "
                    "statistics made it"
                )
    return wrong


def _rates(journal: Journal) -> str:
    """What each look may decide, and how all of them together keep to the error rate."""
    looks = looks_of(journal.header)
    asked = {question.family for question in questions(journal.header) if not question.second}
    by_blocks: dict[tuple[int, ...], list[str]] = {}
    for family in FAMILIES:
        if family in asked or not asked:  # a kernel alone against itself
            by_blocks.setdefault(looks.deciding(family), []).append(family)
    groups = [
        _decide(looks, families, several=len(by_blocks) > 1) for families in by_blocks.values()
    ]
    few = (
        ", since with fewer no p is that small"
        if min(map(len, by_blocks)) < len(looks.blocks)
        else ""
    )
    return (
        f"intervals are of {100 * (1 - looks.alpha):.4g} %, better or worse can be found "
        f"{', '.join(groups)}{few}; so all looks together stay at {100 * ALPHA:.3g} % for "
        "each metric"
    )


def _decide(looks: Looks, families: Sequence[str], several: bool) -> str:
    """From which look on families that share alike can be decided; several: there are others."""
    first, *more = looks.deciding(families[0])
    where = f"in {' and '.join(FAMILIES[one] for one in families)} " if several else ""
    return (
        f"{where}{f'from {first} blocks on' if more else f'after {first} blocks'} with a p of "
        f"at most {100 * looks.deciding_share(families[0]):.3g} % after Holm"
    )

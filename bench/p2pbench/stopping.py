"""Sequential stopping: a budget of time is spent on the cells that it can still decide.

The looks are planned before the first boot; looks.py says when they are, what each may decide, and
why the error rate holds. What a look decides stands in the journal, with the boots that it makes
needless: those of which every cell is settled. A second boot of an A/A cell is only run beside its
first.

When the budget does not hold another block, the run ends with the look that would have come next.
That look is at an unplanned number of blocks, which time decides and not the data, so the number
of looks stays at most K.

Time is that of the boots in the journal and of the clock that never jumps: dates are not used.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .comparisons import Comparison, answers, compare_all, last_look
from .journal import Journal, LookRecord, PlannedBoot, Skipped
from .looks import Looks, looks_of
from .metrics import FAMILIES
from .questions import Question, questions
from .significance import ALPHA
from .stats import Samples, planned_pairs
from .units import in_words

class Budget:
    """The time that a run may take, and has taken: what the journal knows of, and this session."""

    def __init__(self, seconds: float, earlier_s: float) -> None:
        self.seconds = seconds
        self._earlier_s = earlier_s
        self._started = time.monotonic()

    def spent_s(self) -> float:
        """Seconds spent so far, in this session and those before it."""
        return self._earlier_s + time.monotonic() - self._started

    def holds(self, seconds: float) -> bool:
        """Whether there is that much left."""
        return self.spent_s() + seconds <= self.seconds


def spent_in(journal: Journal) -> float:
    """Seconds that the boots of a journal took, repeated ones included; shared ones count once."""
    return sum(boot.get("took_s", boot["duration_s"])
               for boot in [*journal.boots, *journal.repeated])


def take_look(journal: Journal, block: int, elapsed_s: float) -> Sequence[Comparison]:
    """Before a block begins: take the look that is due, if one is; return its answers.

    Each look is taken once; what it decided is in the journal when this returns.
    """
    looks = looks_of(journal.header)
    taken = last_look(journal.looks)
    due = [number for number, blocks in enumerate(looks.blocks[:-1], 1)
           if blocks <= block and number > taken]
    if not due or not _to_come(journal):
        return []
    blocks = looks.blocks[due[-1] - 1]
    asked = questions(journal.header)
    settled = {one.question.name: one
               for one in compare_all(journal.header, journal.boots, journal.looks)
               if one.look <= taken}
    found = answers(Samples(journal.header, journal.boots, until=blocks), asked, settled, due[-1])
    still_open = [one.question for one in found if one.verdict == "inconclusive"]
    journal.append_look(LookRecord(
        type="look", look=due[-1], blocks=blocks, elapsed_s=round(elapsed_s, 3), why="planned",
        verdicts={one.question.name: one.verdict for one in found},
        skipped=_needless(journal, still_open, blocks, due[-1])))
    return found


def end_by_budget(journal: Journal, block: int, budget: Budget, needed_s: float) -> str:
    """Leave out all that has not run: the budget does not hold the next block. Say so."""
    reason = (f"the budget of {in_words(budget.seconds)} is used up: "
              f"{in_words(budget.spent_s())} spent, block {block} would take about "
              f"{in_words(needed_s)}")
    journal.append_look(LookRecord(
        type="look", look=len(journal.looks) + 1, blocks=block,
        elapsed_s=round(budget.spent_s(), 3), why="budget", verdicts={},
        skipped=[Skipped(boot=boot["boot"], reason=reason)
                 for boot in _to_come(journal) if boot["block"] >= block]))
    return reason


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
    left_out = [f"{reasons.count(reason)} boots were skipped: {reason}"
                for reason in dict.fromkeys(reasons)]
    return [
        f"this run had a budget of {in_words(looks.budget_s)}: its verdicts were looked at after "
        f"{', '.join(map(str, looks.blocks))} blocks, as far as it came; {_rates(journal)}; a "
        "verdict stays as it is",
        *left_out]


def _rates(journal: Journal) -> str:
    """What each look may decide, and how all of them together keep to the error rate."""
    looks = looks_of(journal.header)
    asked = {question.family for question in questions(journal.header) if not question.second}
    by_blocks: dict[tuple[int, ...], list[str]] = {}
    for family in FAMILIES:
        if family in asked or not asked:  # a kernel alone against itself
            by_blocks.setdefault(looks.deciding(family), []).append(family)
    groups = [_decide(looks, families, several=len(by_blocks) > 1)
              for families in by_blocks.values()]
    few = ", since with fewer no p is that small" if min(map(len, by_blocks)) < len(looks.blocks) \
        else ""
    return (f"intervals are of {100 * (1 - looks.alpha):.4g} %, better or worse can be found "
            f"{', '.join(groups)}{few}; so all looks together stay at {100 * ALPHA:.3g} % for "
            "each metric")


def _decide(looks: Looks, families: Sequence[str], several: bool) -> str:
    """From which look on families that share alike can be decided; several: there are others."""
    first, *more = looks.deciding(families[0])
    where = f"in {' and '.join(FAMILIES[one] for one in families)} " if several else ""
    return (f"{where}{f'from {first} blocks on' if more else f'after {first} blocks'} with a p of "
            f"at most {100 * looks.deciding_share(families[0]):.3g} % after Holm")


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
                wrong.append(f"{name}: look {number} called it {verdict}, its boots make it "
                             f"{derived}: the journal was changed, or another version of the "
                             "statistics made it")
    return wrong


def _needless(journal: Journal, still_open: Iterable[Question], blocks: int,
              look: int) -> list[Skipped]:
    """The boots from a block on that no open question needs."""
    samples = Samples(journal.header, (), journal.skipped)
    needed: set[str] = set()
    second: list[tuple[PlannedBoot, PlannedBoot]] = []
    for question in still_open:
        pairs = planned_pairs(samples, question)
        if question.second:
            second += pairs
        else:
            needed |= {boot["boot"] for pair in pairs for boot in pair}
    needed |= {again["boot"] for boot, again in second if boot["boot"] in needed}
    asked = {boot["boot"] for question in questions(journal.header)
             for pair in planned_pairs(samples, question) for boot in pair}
    return [
        Skipped(boot=boot["boot"], reason=f"every cell of it is settled (look {look}, after "
                f"{blocks} blocks)" if boot["boot"] in asked else "no comparison needs it")
        for boot in _to_come(journal) if boot["block"] >= blocks and boot["boot"] not in needed
    ]


def _to_come(journal: Journal) -> list[PlannedBoot]:
    """The boots that are still to be run."""
    gone = set(journal.skipped) | {boot["boot"] for boot in journal.boots}
    return [boot for boot in journal.header["plan"] if boot["boot"] not in gone]

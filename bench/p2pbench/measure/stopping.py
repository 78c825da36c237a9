# SPDX-License-Identifier: GPL-2.0
"""Sequential stopping: a budget of time is spent on the cells that it can still decide.

The looks are planned before the first boot; schedule.py says when they are, what each may decide,
and why the error rate holds. What a look decides stands in the journal, with the boots that it
makes needless: those of which every cell is settled. A second boot of an A/A cell is only run
beside its first.

When the budget does not hold another block, the run ends with the look that would have come next.
That look is at an unplanned number of blocks, which time decides and not the data, so the number
of looks stays at most K.

Time is that of the boots in the journal and of the clock that never jumps: dates are not used.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from p2pbench.analysis.questions import Question, questions
from p2pbench.analysis.samples import Samples, planned_pairs
from p2pbench.analysis.schedule import looks_of
from p2pbench.analysis.verdicts import Comparison, answers, compare_all, last_look
from p2pbench.base.units import in_words
from p2pbench.records.journal import Journal
from p2pbench.records.records import LookRecord, PlannedBoot, Skipped


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


def take_look(journal: Journal, block: int, elapsed_s: float) -> Sequence[Comparison]:
    """Before a block begins: take the look that is due, if one is; return its answers.

    Each look is taken once; what it decided is in the journal when this returns.
    """
    looks = looks_of(journal.header)
    taken = last_look(journal.looks)
    due = [
        number
        for number, blocks in enumerate(looks.blocks[:-1], 1)
        if blocks <= block and number > taken
    ]
    if not due or not _to_come(journal):
        return []
    blocks = looks.blocks[due[-1] - 1]
    asked = questions(journal.header)
    settled = {
        one.question.name: one
        for one in compare_all(journal.header, journal.boots, journal.looks)
        if one.look <= taken
    }
    found = answers(Samples(journal.header, journal.boots, until=blocks), asked, settled, due[-1])
    still_open = [one.question for one in found if one.verdict == "inconclusive"]
    journal.append_look(
        LookRecord(
            type="look",
            look=due[-1],
            blocks=blocks,
            elapsed_s=round(elapsed_s, 3),
            why="planned",
            verdicts={one.question.name: one.verdict for one in found},
            skipped=_needless(journal, still_open, blocks, due[-1]),
        )
    )
    return found


def end_by_budget(journal: Journal, block: int, budget: Budget, needed_s: float) -> str:
    """Leave out all that has not run: the budget does not hold the next block. Say so."""
    reason = (
        f"the budget of {in_words(budget.seconds)} is used up: "
        f"{in_words(budget.spent_s())} spent, block {block} would take about "
        f"{in_words(needed_s)}"
    )
    journal.append_look(
        LookRecord(
            type="look",
            look=len(journal.looks) + 1,
            blocks=block,
            elapsed_s=round(budget.spent_s(), 3),
            why="budget",
            verdicts={},
            skipped=[
                Skipped(boot=boot["boot"], reason=reason)
                for boot in _to_come(journal)
                if boot["block"] >= block
            ],
        )
    )
    return reason


def _needless(
    journal: Journal, still_open: Iterable[Question], blocks: int, look: int
) -> list[Skipped]:
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
    asked = {
        boot["boot"]
        for question in questions(journal.header)
        for pair in planned_pairs(samples, question)
        for boot in pair
    }
    return [
        Skipped(
            boot=boot["boot"],
            reason=f"every cell of it is settled (look {look}, after {blocks} blocks)"
            if boot["boot"] in asked
            else "no comparison needs it",
        )
        for boot in _to_come(journal)
        if boot["block"] >= blocks and boot["boot"] not in needed
    ]


def _to_come(journal: Journal) -> list[PlannedBoot]:
    """The boots that are still to be run."""
    gone = set(journal.skipped) | {boot["boot"] for boot in journal.boots}
    return [boot for boot in journal.header["plan"] if boot["boot"] not in gone]

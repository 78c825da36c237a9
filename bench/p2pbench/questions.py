"""What a run asks: each compare, workload and metric is a question with a verdict of its own.

The matrix asks its [[compare]] of throughput. What it counts ([[counts]], [[ordinary]]) and what
it runs against itself (aa) asks by being there:

    instructions          of the P2P path: each further variant against the first that is listed
    ordinary-<variant>    of I/O that has nothing to do with P2P, in the same way
    aa-...                a cell against itself; a family of its own, since an answer other than
                          "no difference" says something about the instrument and not the kernels
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .journal import Cell, Compare, Header, PlannedBoot, Workload

THROUGHPUT = "throughput"
INSTRUCTIONS = "instructions"
METRICS = (THROUGHPUT, INSTRUCTIONS)
# What the report compares, and the cells against themselves.
FAMILIES = ("cells", "aa")
LESS_IS_BETTER = (INSTRUCTIONS,)
# Kinds of workload that are counted, and the name of the compare that each makes.
COUNTED = {"count": "instructions", "ordinary": "ordinary"}
_TITLES = {"count": "instructions per I/O of the P2P path, {candidate} against {baseline}",
           "ordinary": "instructions per ordinary I/O, {candidate} against {baseline}"}


@dataclass(frozen=True)
class Question:
    """One workload of one compare by one metric; `family` is what Holm corrects together."""

    compare: Compare
    workload: Workload
    metric: str
    family: str = "cells"

    @property
    def name(self) -> str:
        """What the journal calls it."""
        return f"{self.compare['name']}/{self.workload['name']}/{self.metric}"

    @property
    def boot_kind(self) -> str:
        """The kind of boots that answer it."""
        return "count" if self.metric == INSTRUCTIONS else "fio"


def questions(header: Header) -> list[Question]:
    """Every question that the plan of a run can answer."""
    return _throughput(header) + _instructions(header) + _against_itself(header)


def is_timed(workload: Workload) -> bool:
    """Whether its throughput means something: verify and pattern cells prove data instead."""
    return workload["kind"] == "fio" and not workload["verify"]


def compares_of(found: Sequence[Question], header: Header) -> list[Compare]:
    """The compares of these questions in their order; those of the matrix even without any."""
    mine = list(header["matrix"]["compare"])
    return mine + [one for one in _unique(question.compare for question in found)
                   if one not in mine]


def _throughput(header: Header) -> list[Question]:
    planned = _planned(header, "fio", second=False)
    return [
        Question(compare, workload, THROUGHPUT)
        for compare in header["matrix"]["compare"]
        if _key(compare["baseline"]) in planned and _key(compare["candidate"]) in planned
        for workload in header["matrix"]["workloads"]
        if is_timed(workload)
        and {compare["baseline"]["provider"], compare["candidate"]["provider"]}
        <= set(workload["providers"])
    ]


def _instructions(header: Header) -> list[Question]:
    """The first variant that runs a counted workload against each of the others."""
    found: list[Question] = []
    for kind, name in COUNTED.items():
        for workload in header["matrix"]["workloads"]:
            if workload["kind"] == kind:
                found += _of_counted(header, workload, name)
    return sorted(found, key=lambda question: question.compare["name"])


def _of_counted(header: Header, workload: Workload, name: str) -> Iterator[Question]:
    cells = counted_cells(header, workload)
    for candidate in cells[1:]:
        sides = {"baseline": cells[0]["variant"], "candidate": candidate["variant"]}
        only = len(cells) == 2 and workload["kind"] == "count"
        compare = Compare(name=name if only else f"{name}-{candidate['variant']}",
                          title=_TITLES[workload["kind"]].format(**sides),
                          baseline=cells[0], candidate=candidate)
        yield Question(compare, workload, INSTRUCTIONS)


def _against_itself(header: Header) -> list[Question]:
    found: list[Question] = []
    for variant, provider in _planned(header, "fio", second=True):
        compare = _itself(Cell(variant=variant, provider=provider), "aa", "throughput")
        found += [Question(compare, workload, THROUGHPUT, "aa")
                  for workload in header["matrix"]["workloads"]
                  if is_timed(workload) and provider in workload["providers"]]
    for variant, provider in _planned(header, "count", second=True):
        cell = Cell(variant=variant, provider=provider)
        compare = _itself(cell, "aa-instructions", "instructions per I/O")
        found += [Question(compare, workload, INSTRUCTIONS, "aa")
                  for workload in header["matrix"]["workloads"]
                  if workload["kind"] in COUNTED and cell in counted_cells(header, workload)]
    return found


def _itself(cell: Cell, name: str, what: str) -> Compare:
    both = f"{cell['variant']}/{cell['provider']}"
    return Compare(name=f"{name}-{cell['variant']}-{cell['provider']}",
                   title=f"A/A: {what} of {both} against itself", baseline=cell, candidate=cell)


def counted_cells(header: Header, workload: Workload) -> list[Cell]:
    """The cells that count a workload, in the order in which the matrix lists their variants."""
    planned = _planned(header, "count", second=False)
    return [Cell(variant=variant, provider=provider)
            for name in workload.get("variants", []) for variant, provider in planned
            if name == variant and provider in workload["providers"]]


def _planned(header: Header, kind: str, second: bool) -> dict[tuple[str, str], PlannedBoot]:
    """The cells that the plan boots with this kind, the second time in a block or the first."""
    return {(boot["variant"], boot["provider"]): boot for boot in header["plan"]
            if boot.get("kind", "fio") == kind and boot.get("aa", False) == second}


def _key(cell: Cell) -> tuple[str, str]:
    return cell["variant"], cell["provider"]


def _unique(compares: Iterable[Compare]) -> list[Compare]:
    found: list[Compare] = []
    for compare in compares:
        if compare not in found:
            found.append(compare)
    return found

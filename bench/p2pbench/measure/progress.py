# SPDX-License-Identifier: GPL-2.0
"""What a user sees of a run: its plan, a line a boot, how far it is, and how it ended."""

import contextlib
import sys
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from p2pbench.base import signals
from p2pbench.base.errors import BenchError
from p2pbench.base.units import in_words
from p2pbench.linux import build_progress
from p2pbench.measure.run import Estimate, Run
from p2pbench.plan.matrix import Boot
from p2pbench.records.metrics import FAMILIES
from p2pbench.records.runs import named
from p2pbench.report import build, junit
from p2pbench.report.stopping_notes import first_decision

# The boots that run now, in the line that shows how far they are.
_SHOWN = 2


class Progress:
    """A run, and what the user sees of it.

    trouble is why the run cannot go on, or its report not be written; "" as long as neither is so.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.trouble = ""
        self.console = Console(highlight=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console.width = max(120, self.console.width)  # a log has no edge
        self._estimate: Estimate | None = None
        self._selected: list[Boot] = []
        self._count = 0
        self._stages: dict[str, str] = {}  # of the boots that run
        self._status: Status | None = None
        self._ending = contextlib.ExitStack()

    def begin(self, boots: list[Boot]) -> None:
        """Build what is missing, then say what is going to run and how long it will take."""
        self.run.prepare(boots)
        self._selected = [*self.run.first, *(boot for boot in boots if boot not in self.run.first)]
        if not self.console.is_terminal:
            self._ending.enter_context(build_progress.every_minute(self.console.print))
        self._estimate = self.run.estimate(self._selected)
        self.run.begin(self._selected, self._estimate)
        assert self.run.journal
        header = self.run.journal.header
        most = "at most " if self.run.budget else ""
        self.console.print(
            f"run {self.run.name}: {most}{len(boots)} boots, {header['environment_class']} "
            f"({self.run.testbed.why}), seed {self.run.seed}, about "
            f"{in_words(self._left_s())}"
        )
        self.say_notes()
        self.say_looks()
        if self.console.is_terminal:
            self._status = self.console.status("")
            self._status.start()

    def why_not(self, boot: Boot) -> str:
        """Why a boot is left out, "" for one that is to run."""
        assert self._estimate
        reason = self.run.why_not(boot, lambda text: self.console.print(escape(text)))
        if reason:
            self._count += 1
            self._estimate.skip(boot.boot)
        return reason

    def _left_s(self) -> float:
        """How long the run still takes: what is planned, or what the budget leaves of it."""
        assert self._estimate
        left = self._estimate.remaining_s()
        budget = self.run.budget
        return min(left, max(0.0, budget.seconds - budget.spent_s())) if budget else left

    def give_up(self, error: BenchError) -> None:
        """End the run, which cannot go on, and remember why."""
        self.end()
        self.trouble = str(error)

    def execute(self, boot: Boot) -> dict[str, Any]:
        """Run one boot, showing the stage that it and those beside it are in; return its record."""
        return self.run.execute(boot, self._show_stage, self._say_end)

    def _show_stage(self, boot: str, stage: str) -> None:
        self._stages[boot] = stage
        if self._status:
            running = [f"{name}: {step}" for name, step in self._stages.items()]
            more = [f"{len(running) - _SHOWN} more"] if len(running) > _SHOWN else []
            doing = "; ".join(running[:_SHOWN] + more)
            self._status.update(
                escape(
                    f"[{self._count + 1}/{len(self._selected)}] {doing}, about "
                    f"{in_words(self._left_s())} left"
                )
            )

    def _say_end(self, record: dict[str, Any]) -> None:
        """Say how a boot ended, as soon as it has."""
        assert self._estimate
        self._count += 1
        self._stages.pop(record["boot"], None)
        self._estimate.done(record["boot"], record["duration_s"])
        head = f"[{self._count}/{len(self._selected)}] {record['boot']}"
        self.console.print(_line(head, record, self._left_s()))

    def place(self, boot: Boot) -> int:
        """Return the place of a boot in the order in which they will run."""
        return self._selected.index(boot)

    def say_plan(self, boots: list[Boot]) -> None:
        """Say how much is planned, and how long that takes once the kernels are built."""
        needed = in_words(self.run.estimate(boots).remaining_s())
        self.console.print(
            f"{len(boots)} boots in {len({boot.block for boot in boots})} blocks: "
            f"about {needed}, and the time to build kernels that are not cached"
        )
        self.say_notes()

    def say_notes(self) -> None:
        """Say what of the matrix cannot be valid."""
        for note in self.run.notes():
            self.console.print(f"note: {escape(note)}")

    def say_looks(self) -> None:
        """Say how the plan spends its budget, and after how many blocks it can decide."""
        looks = self.run.looks
        if looks.budget_s:
            self.console.print(
                f"budget {in_words(looks.budget_s)}, at most {looks.blocks[-1]} blocks; "
                f"looks after {', '.join(map(str, looks.blocks))} blocks: cells that are settled "
                "then stop"
            )
        for family in FAMILIES:
            decides = first_decision(looks, family, self.run.blocks_of_cells(family))
            if decides:
                self.console.print(decides)

    def end(self) -> None:
        """Stop the progress line, the boots that run, and what is still being built."""
        if self._status:
            self._status.stop()
        self._ending.close()
        self.run.end()

    def conclude(self) -> int | None:
        """Write and show the report of the boots that there are; return the run's exit status.

        None if there is no report: no boot, or trouble.
        """
        if not self.run.journal or not self.run.journal.boots:
            return None
        print()
        try:
            report, refused = build.conclude(self.run.directory, self.console)
        except (BenchError, OSError) as error:
            self.trouble = self.trouble or str(error)
            return None
        self.trouble = self.trouble or refused
        return build.exit_status(report)

    def say_how_it_ended(self) -> None:
        """Say what went wrong with the run as a whole, and how to go on with it."""
        if self.trouble:
            print(f"error: {self.trouble}", file=sys.stderr)
        ended = signals.ended()
        if not self.run.journal:
            if ended:
                print(f"{ended} before the first boot: nothing was run", file=sys.stderr)
            return
        how = f"{ended}; " if ended else ""
        remaining = self.run.remaining()
        if remaining:
            tried = {boot["boot"] for boot in self.run.journal.boots}
            lost = sum(boot.boot in tried for boot in remaining)
            print(
                f"{how}{len(remaining) - lost} of {len(self.run.plan)} boots have not run and "
                f"{lost} were lost; go on with: {self.run.go_on}",
                file=sys.stderr,
            )
        elif ended:
            print(
                f"{how}all boots have run; make report RUN={named(self.run.directory)}",
                file=sys.stderr,
            )


def _line(head: str, record: dict[str, Any], left: float) -> str:
    """Return the line that says how a boot ended."""
    counts = [entry["status"] for entry in record["workloads"]]
    words = [
        f"{counts.count(status)} {status}"
        for status in ("ok", "invalid", "failed")
        if counts.count(status)
    ]
    # Host memory is registered with nobody.
    register = record["setup"] and record["setup"]["register"]
    if not counts and register:
        words.append(f"registered in {register['ns'] / 1e6:.1f} ms")
    trouble = junit.boot_trouble(record)
    words += [trouble] if trouble else []
    text = escape(
        f"{head}: {', '.join(words)} in {record['duration_s']:.0f} s, about "
        f"{in_words(left)} left"
    )
    bad = record["status"] != "ok" or counts.count("ok") < len(counts)
    return f"[red]{text}[/red]" if bad else text

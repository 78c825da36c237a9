"""pytest as the orchestrator of a run: options, plan, progress, and the report at the end."""

# What may go wrong from here on ends in one line; the rest takes a second to import.
from p2pbench import output, signals

output.keep_going()
signals.end_at_once()

import contextlib
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, NoReturn, cast

import pytest
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from p2pbench import command, junit, progress, report, stopping
from p2pbench.errors import BenchError
from p2pbench.looks import first_decision
from p2pbench.matrix import Boot, find_matrix
from p2pbench.metrics import FAMILIES
from p2pbench.run import Estimate, Run
from p2pbench.runs import named
from p2pbench.stopping import in_words


# The boots that run now, in the line that shows how far they are.
_SHOWN = 2


class Session:
    """The run that this pytest session executes, and what the user sees of it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.trouble = ""  # why the run cannot go on, or its report not be written
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
        self._selected = [*self.run.first,
                          *(boot for boot in boots if boot not in self.run.first)]
        if not self.console.is_terminal:
            self._ending.enter_context(progress.every_minute(self.console.print))
        self._estimate = Estimate(self.run.matrix, self._selected, self.run.at_once)
        self.run.begin(self._selected, self._estimate)
        assert self.run.journal
        header = self.run.journal.header
        most = "at most " if self.run.budget else ""
        self.console.print(
            f"run {self.run.name}: {most}{len(boots)} boots, {header['environment_class']} "
            f"({header['provenance']['qemu']['why']}), seed {self.run.seed}, about "
            f"{in_words(self._left_s())}")
        self.say_notes()
        self.say_looks()
        if self.console.is_terminal:
            self._status = self.console.status("")
            self._status.start()

    def why_not(self, boot: Boot) -> str:
        """Why a boot is left out, "" for one that is to run."""
        assert self._estimate
        try:
            reason = self.run.why_not(boot, lambda text: self.console.print(escape(text)))
        except BenchError as error:
            self._give_up(error)
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

    def _give_up(self, error: BenchError) -> NoReturn:
        self.end()
        self.trouble = str(error)
        pytest.exit("the run cannot go on", returncode=command.FAILED)

    def execute(self, boot: Boot) -> dict[str, Any]:
        """Run one boot, showing the stage that it and those beside it are in; return its record."""
        try:
            return self.run.execute(boot, self._show_stage, self._say_end)
        except BenchError as error:
            self._give_up(error)

    def _show_stage(self, boot: str, stage: str) -> None:
        self._stages[boot] = stage
        if self._status:
            running = [f"{name}: {step}" for name, step in self._stages.items()]
            more = [f"{len(running) - _SHOWN} more"] if len(running) > _SHOWN else []
            doing = "; ".join(running[:_SHOWN] + more)
            self._status.update(escape(f"[{self._count + 1}/{len(self._selected)}] {doing}, about "
                                       f"{in_words(self._left_s())} left"))

    def _say_end(self, record: dict[str, Any]) -> None:
        """Say how a boot ended, as soon as it has."""
        assert self._estimate
        self._count += 1
        self._stages.pop(record["boot"], None)
        self._estimate.done(record["boot"], record["duration_s"])
        head = f"[{self._count}/{len(self._selected)}] {record['boot']}"
        self.console.print(_line(head, record, self._left_s()))

    def sort(self, items: list[pytest.Item]) -> None:
        """Put the items of the boots into the order in which they will run."""
        def place(item: pytest.Item) -> int:
            assert isinstance(item, pytest.Function)
            return self._selected.index(cast(Boot, item.callspec.params["boot"]))

        items.sort(key=place)

    def say_plan(self, boots: list[Boot]) -> None:
        """Say how much is planned, and how long that takes once the kernels are built."""
        needed = in_words(Estimate(self.run.matrix, boots, self.run.at_once).remaining_s())
        self.console.print(f"{len(boots)} boots in {len({boot.block for boot in boots})} blocks: "
                           f"about {needed}, and the time to build kernels that are not cached")
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
                "then stop")
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


def _line(head: str, record: dict[str, Any], left: float) -> str:
    """Return the line that says how a boot ended."""
    counts = [entry["status"] for entry in record["workloads"]]
    words = [f"{counts.count(status)} {status}" for status in ("ok", "invalid", "failed")
             if counts.count(status)]
    # Host memory is registered with nobody.
    register = record["setup"] and record["setup"]["register"]
    if not counts and register:
        words.append(f"registered in {register['ns'] / 1e6:.1f} ms")
    trouble = junit.boot_trouble(record)
    words += [trouble] if trouble else []
    text = escape(f"{head}: {', '.join(words)} in {record['duration_s']:.0f} s, about "
                  f"{in_words(left)} left")
    bad = record["status"] != "ok" or counts.count("ok") < len(counts)
    return f"[red]{text}[/red]" if bad else text


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that `make bench` passes on."""
    group = parser.getgroup("p2pbench")
    group.addoption("--matrix", default="", help="a file, or a name in configs/matrix; else quick")
    group.addoption("--seed", default="", help="the seed of the plan's order")
    group.addoption("--budget", default="", help="how long the run may take: 90s, 20m, 2h")
    group.addoption("--resume", metavar="RUN", default="", help="go on with results/RUN")


_SESSION = pytest.StashKey[Session]()
BOOTS = Path(__file__).resolve().parent
# Options with which pytest runs none of its items; --setup-plan sets --setup-only, too.
_NO_BOOTS = {"setupplan": "--setup-plan", "setuponly": "--setup-only",
             "showfixtures": "--fixtures", "show_fixtures_per_test": "--fixtures-per-test"}


def _open_run(config: pytest.Config) -> Run:
    seed = config.getoption("--seed")
    if seed and not seed.isdecimal():
        raise BenchError(f'SEED="{seed}": a whole number from 0 on is allowed')
    budget = config.getoption("--budget")
    matrix = config.getoption("--matrix")
    if config.getoption("--resume"):
        for name, given in (("MATRIX", matrix), ("SEED", seed), ("BUDGET", budget)):
            if given:
                raise BenchError(f"a run goes on with the {name} that it began with, which its "
                                 f"journal keeps: leave {name} out with RESUME")
        return Run.resume(config.getoption("--resume"))
    run = Run.new(find_matrix(matrix or "quick"), int(seed) if seed else None,
                  stopping.parse_budget(budget) if budget else None)
    run.selection = _selection(config)
    return run


def _selection(config: pytest.Config) -> list[str]:
    """pytest's options that leave boots out, as they would be given again."""
    option = config.option
    words = [word for name, value in (("-k", option.keyword), ("-m", option.markexpr)) if value
             for word in (name, value)]
    return words + [word for node in option.deselect or () for word in ("--deselect", node)]


def _check_options(config: pytest.Config) -> None:
    """Refuse options of pytest's with which boots would run twice, at once, or not at all."""
    paths = [path for path in config.args if Path(path).resolve() != BOOTS]
    if paths:
        raise BenchError(f"{paths[0]}: boots are chosen by words of their names, not by paths: "
                         "PYTEST_ARGS=\"-k 'b0 and bar'\"")
    for option, words in _NO_BOOTS.items():
        if config.getoption(option, None):
            raise BenchError(f"{words}: not for boots; `make plan` shows what would run")
    if config.getoption("numprocesses", None) or config.getoption("tx", None):
        raise BenchError("a boot that is timed has the machine to itself, and those that only "
                         "count run beside each other without it: leave out -n")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the matrix or the run to resume; a mistake in it ends here, before anything is built."""
    if config.option.help:
        return
    try:
        _check_options(config)
        run = _open_run(config)
    except BenchError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_SESSION] = Session(run)


def pytest_collection() -> None:
    """From here on pytest ends in pytest_sessionfinish, whatever happens."""
    signals.catch()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make an item of each boot that has not run yet."""
    boots = metafunc.config.stash[_SESSION].run.remaining()
    metafunc.parametrize("boot", boots, ids=[boot.boot for boot in boots])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A run that is complete has no items: pytest would make one that is skipped."""
    if not config.stash[_SESSION].run.remaining():
        items.clear()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Prepare the selected boots, unless only the plan was asked for."""
    if not session.items:
        return
    boots = [cast(Boot, item.callspec.params["boot"]) for item in session.items
             if isinstance(item, pytest.Function)]
    ours = session.config.stash[_SESSION]
    try:
        ours.run.select(boots)
        ours.run.check_budget(boots)
        if session.config.option.collectonly:
            ours.say_plan(boots)
            ours.say_looks()
        else:
            ours.begin(boots)
            ours.sort(session.items)
    except (BenchError, OSError) as error:
        raise pytest.UsageError(str(error)) from None


@pytest.fixture
def session(request: pytest.FixtureRequest) -> Session:
    """The run and its progress."""
    return request.config.stash[_SESSION]


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Our own lines say how a boot ended; pytest only counts boots, and what failed in them."""
    counted = report.failed or report.when == "call" and type(report) is pytest.TestReport
    return (report.outcome if counted else "", "", "")


@pytest.hookimpl(hookwrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, Any, None]:
    """Write the report of what the journal holds; its verdict decides the exit status.

    A run that was ended by a signal has that signal's status (signals.py), one that cannot go on
    or whose report cannot be written has 2.
    """
    ours = session.config.stash[_SESSION]
    ours.end()
    outcome = yield
    if outcome.excinfo and isinstance(outcome.excinfo[1], OSError):
        ours.trouble = str(outcome.excinfo[1])  # a file that the user asked pytest for
        outcome.force_result([])
    if not session.config.option.collectonly:
        try:
            _conclude(session, ours)
        except signals.Ended:
            ours.trouble = "the report was not written"
        _say_how_it_ended(ours)
    elif output.is_lost():
        session.exitstatus = command.FAILED
    if ours.trouble:
        session.exitstatus = command.FAILED
    if ended := signals.ended():
        session.exitstatus = ended.status
    signals.end_at_once()


def _conclude(session: pytest.Session, ours: Session) -> None:
    """Write and show the report of the boots that there are."""
    if not ours.run.journal or not ours.run.journal.boots:
        return
    print()
    try:
        made, refused = report.conclude(ours.run.directory, ours.console)
    except (BenchError, OSError) as error:
        ours.trouble = ours.trouble or str(error)
        return
    ours.trouble = ours.trouble or refused
    if session.exitstatus in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = report.exit_status(made)


def _say_how_it_ended(ours: Session) -> None:
    """Say what went wrong with the run as a whole, and how to go on with it."""
    run, ended = ours.run, signals.ended()
    if ours.trouble:
        print(f"error: {ours.trouble}", file=sys.stderr)
    if not run.journal:
        if ended:
            print(f"{ended} before the first boot: nothing was run", file=sys.stderr)
        return
    how = f"{ended}; " if ended else ""
    remaining = run.remaining()
    if remaining:
        tried = {boot["boot"] for boot in run.journal.boots}
        lost = sum(boot.boot in tried for boot in remaining)
        print(f"{how}{len(remaining) - lost} of {len(run.plan)} boots have not run and {lost} were "
              f"lost; go on with: {run.go_on}", file=sys.stderr)
    elif ended:
        print(f"{how}all boots have run; make report RUN={named(run.directory)}", file=sys.stderr)

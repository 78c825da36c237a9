# SPDX-License-Identifier: GPL-2.0
"""pytest as the orchestrator of a run: its options, an item a boot, and its exit status."""

# What may go wrong from here on ends in one line; the rest takes a second to import.
from p2pbench.base import output, signals

output.keep_going()
signals.end_at_once()

from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import pytest

from p2pbench.base import command
from p2pbench.base.errors import BenchError
from p2pbench.measure.options import open_run
from p2pbench.measure.progress import Progress
from p2pbench.measure.run import Run
from p2pbench.plan.matrix import Boot


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that `make bench` passes on."""
    group = parser.getgroup("p2pbench")
    group.addoption("--matrix", default="", help="a file, or a name in configs/matrix; else quick")
    group.addoption("--seed", default="", help="the seed of the plan's order")
    group.addoption("--budget", default="", help="how long the run may take: 90s, 20m, 2h")
    group.addoption("--resume", metavar="RUN", default="", help="go on with results/RUN")


_PROGRESS = pytest.StashKey[Progress]()
BOOTS = Path(__file__).resolve().parent
# Options with which pytest runs none of its items; --setup-plan sets --setup-only, too.
_NO_BOOTS = {
    "setupplan": "--setup-plan",
    "setuponly": "--setup-only",
    "showfixtures": "--fixtures",
    "show_fixtures_per_test": "--fixtures-per-test",
}


def _open_run(config: pytest.Config) -> Run:
    run = open_run(
        *(config.getoption(f"--{name}") for name in ("matrix", "seed", "budget", "resume"))
    )
    if not config.getoption("--resume"):
        run.selection = _selection(config)
    return run


def _selection(config: pytest.Config) -> list[str]:
    """pytest's options that leave boots out, as they would be given again."""
    option = config.option
    words = [
        word
        for name, value in (("-k", option.keyword), ("-m", option.markexpr))
        if value
        for word in (name, value)
    ]
    return words + [word for node in option.deselect or () for word in ("--deselect", node)]


def _check_options(config: pytest.Config) -> None:
    """Refuse options of pytest's with which boots would run twice, at once, or not at all."""
    paths = [path for path in config.args if Path(path).resolve() != BOOTS]
    if paths:
        raise BenchError(
            f"{paths[0]}: boots are chosen by words of their names, not by paths: "
            "PYTEST_ARGS=\"-k 'b0 and bar'\""
        )
    for option, words in _NO_BOOTS.items():
        if config.getoption(option, None):
            raise BenchError(f"{words}: not for boots; `make plan` shows what would run")
    if config.getoption("numprocesses", None) or config.getoption("tx", None):
        raise BenchError(
            "a boot that is timed has the machine to itself, and those that only "
            "count run beside each other without it: leave out -n"
        )


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
    config.stash[_PROGRESS] = Progress(run)


def pytest_collection() -> None:
    """From here on pytest ends in pytest_sessionfinish, whatever happens."""
    signals.catch()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make an item of each boot that has not run yet."""
    boots = metafunc.config.stash[_PROGRESS].run.remaining()
    metafunc.parametrize("boot", boots, ids=[boot.boot for boot in boots])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A run that is complete has no items: pytest would make one that is skipped."""
    if not config.stash[_PROGRESS].run.remaining():
        items.clear()


def _boot_of(item: pytest.Item) -> Boot:
    assert isinstance(item, pytest.Function)
    return cast(Boot, item.callspec.params["boot"])


def pytest_collection_finish(session: pytest.Session) -> None:
    """Prepare the selected boots, unless only the plan was asked for."""
    if not session.items:
        return
    boots = [_boot_of(item) for item in session.items]
    ours = session.config.stash[_PROGRESS]
    try:
        ours.run.select(boots)
        ours.run.check_budget(boots)
        if session.config.option.collectonly:
            ours.say_plan(boots)
            ours.say_looks()
        else:
            ours.begin(boots)
            session.items.sort(key=lambda item: ours.place(_boot_of(item)))
    except (BenchError, OSError) as error:
        raise pytest.UsageError(str(error)) from None


@pytest.fixture
def progress(request: pytest.FixtureRequest) -> Progress:
    """The run and its progress."""
    return request.config.stash[_PROGRESS]


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
    ours = session.config.stash[_PROGRESS]
    ours.end()
    outcome = yield
    if outcome.excinfo and isinstance(outcome.excinfo[1], OSError):
        ours.trouble = str(outcome.excinfo[1])  # a file that the user asked pytest for
        outcome.force_result([])
    if not session.config.option.collectonly:
        try:
            status = ours.conclude()
            if status is not None and session.exitstatus in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
                session.exitstatus = status
        except signals.Ended:
            ours.trouble = "the report was not written"
        ours.say_how_it_ended()
    elif output.is_lost():
        session.exitstatus = command.FAILED
    if ours.trouble:
        session.exitstatus = command.FAILED
    if ended := signals.ended():
        session.exitstatus = ended.status
    signals.end_at_once()

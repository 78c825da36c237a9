# SPDX-License-Identifier: GPL-2.0
"""The kernels under test and real guests of them."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from p2pbench.base.errors import BenchError
from p2pbench.linux import build_progress
from p2pbench.linux.kernel import Kernel, build, expected
from p2pbench.linux.variants import find_variant
from p2pbench.testbed import accelerators, preflight
from p2pbench.testbed.accelerators import Accelerator
from p2pbench.testbed.config import read_shape
from p2pbench.testbed.machine import Pace
from p2pbench.testbed.qemu import Board, Guest
from support import GuestMaker


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kernel",
        metavar="VARIANT|DIRECTORY",
        help="what runs on page and on pageless runs on this kernel alone: a variant, "
        "or the directory of a build",
    )


# Each kernel whose rxe can use peer memory, to be measured and to be checked; and the one with
# tests of its own.
KERNELS = {
    "peer_kernel": ("page", "pageless"),
    "debug_kernel": ("page", "pageless-kunit"),
    "kunit_kernel": (
        "pageless-kunit bench",
        pytest.param("pageless-kunit debug", marks=pytest.mark.full),
    ),
}


# What needs no kernel first, then what needs those that are measured, then the slow ones; last what
# keeps two cores busy by itself.
ORDER = (
    "style",
    "unit",
    "statistics",
    "agent",
    "insncount",
    "browser",
    "linux",
    "faults",
    "smoke",
    "kunit",
    "debug",
    "planted",
)
# Guests under every checker of the kernel, each of minutes; some 110 boots.
FULL = ("debug", "planted")


def folder(item: pytest.Item) -> str:
    """Return the folder of tests/ that a test is in."""
    return item.path.relative_to(Path(__file__).parent).parts[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run a folder's tests in the order of ORDER; one that it does not name comes last."""
    for item in items:
        if folder(item) in FULL:
            item.add_marker("full")
    items.sort(key=lambda item: (*ORDER, folder(item)).index(folder(item)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, None, None]:
    """Say once a minute how far the kernel is that some test waits for; workers cannot."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if hasattr(session.config, "workerinput") or not reporter:
        yield
        return
    with build_progress.every_minute(lambda text: reporter.write_line(f"\n{text}")):
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    asked = metafunc.config.getoption("--kernel")
    for fixture, variants in KERNELS.items():
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(
                fixture,
                [asked] if asked else variants,
                indirect=True,
                ids=[Path(asked).name] if asked else None,
                scope="session",
            )


# The kernels of a folder's tests, variant and flavour.
FOLDER_KERNELS: dict[str, set[tuple[str, str]]] = {
    "linux": {("page", "bench"), ("pageless", "bench")},
    "faults": {("page", "bench")},
    "smoke": {("page", "bench"), ("pageless", "bench")},
    "planted": {("page", "bench"), ("planted", "bench")},
    "kunit": {("pageless-kunit", "bench")},
    "debug": {("page", "debug"), ("pageless-kunit", "debug")},
}


def check_machine(config: pytest.Config, names: list[str]) -> None:
    """Before the first test, end with what the machine lacks for the kernels of these tests."""
    folders = {name.removeprefix("tests/").partition("/")[0] for name in names}
    needed = set().union(*(FOLDER_KERNELS.get(folder, set()) for folder in folders))
    if any("[pageless-kunit debug]" in name for name in names):
        needed.add(("pageless-kunit", "debug"))
    if not needed or config.option.collectonly or config.getoption("--kernel"):
        return
    try:
        preflight.check_memory(
            {"a test": read_shape("qemu").memory}, getattr(config.option, "numprocesses", None) or 1
        )
        preflight.check([expected(find_variant(name), flavour) for name, flavour in sorted(needed)])
    except BenchError as error:
        pytest.exit(str(error), returncode=2)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Check the machine, unless this is one of several workers: see below."""
    if not hasattr(session.config, "workerinput"):
        check_machine(session.config, [item.nodeid for item in session.items])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """Check the machine where tests run in workers: what one could not say, all would try."""
    if node.gateway.id == "gw0":
        check_machine(node.config, ids)


@pytest.fixture(scope="session")
def page_kernel() -> Kernel:
    """The page-backed kernel, from the cache or built now."""
    return build(find_variant("page"), "bench")


@pytest.fixture(scope="session")
def peer_kernel(request: pytest.FixtureRequest) -> Kernel:
    """A kernel whose rxe can use peer memory."""
    return open_kernel(request.param, "bench")


@pytest.fixture(scope="session")
def debug_kernel(request: pytest.FixtureRequest) -> Kernel:
    """The same under every checker that the kernel has."""
    return open_kernel(request.param, "debug")


@pytest.fixture(scope="session")
def kunit_kernel(request: pytest.FixtureRequest) -> Kernel:
    """One that tests itself."""
    name, _, flavour = request.param.partition(" ")
    return open_kernel(name, flavour or "bench")


def open_kernel(name: str, flavour: str) -> Kernel:
    """Return a variant's kernel, or the one that was built in a directory."""
    if (Path(name) / "bzImage").is_file():
        directory = Path(name).resolve()
        return Kernel(find_variant("pageless"), flavour, directory.name, directory)
    return build(find_variant(name), flavour)


@pytest.fixture(scope="session")
def accelerator(request: pytest.FixtureRequest) -> Accelerator:
    """What QEMU can use here."""
    return accelerators.choose(
        open_kernel(request.config.getoption("--kernel") or "page", "bench").bzimage
    )


@pytest.fixture
def make_guest(
    request: pytest.FixtureRequest, accelerator: Accelerator, tmp_path: Path
) -> GuestMaker:
    """Return a maker of guests: kernel parameters, and what a test needs otherwise."""

    def make(
        cmdline: str = "",
        pace: Pace | None = None,
        kernel: Kernel | None = None,
        namespace: str = "",
        board: Board = Board(),
        cmb: int = 0,
    ) -> Guest:
        shape = read_shape("qemu")
        return Guest(
            kernel or request.getfixturevalue("page_kernel"),
            accelerator,
            replace(shape, cmb=cmb or shape.cmb),
            pace or Pace(),
            tmp_path / "console.log",
            cmdline,
            namespace=namespace,
            board=board,
        )

    return make

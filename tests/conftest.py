"""The kernels under test and real guests of them."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from p2pbench import accel, preflight, progress
from p2pbench.accel import Accelerator
from p2pbench.errors import BenchError
from p2pbench.kernel import Kernel, build, expected
from p2pbench.qemu import Board, Guest, Pace, read_shape
from p2pbench.variants import find_variant

from support import GuestMaker


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kernel", metavar="VARIANT|DIRECTORY",
                     help="what runs on page and on pageless runs on this kernel alone: a variant, "
                          "or the directory of a build")


# Each kernel whose rxe can use peer memory, to be measured and to be checked; and the one with
# tests of its own.
KERNELS = {"peer_kernel": ("page", "pageless"), "debug_kernel": ("page", "pageless-kunit"),
           "kunit_kernel": ("pageless-kunit",)}


# What needs no kernel first, then what needs those that are measured, then the slow ones.
ORDER = ("style", "unit", "agent", "insncount", "browser", "linux", "faults", "smoke", "planted",
         "kunit", "debug")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run a folder's tests in the order of ORDER; one that it does not name comes last."""
    root = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(root).parts[0]
        return ORDER.index(folder) if folder in ORDER else len(ORDER)

    items.sort(key=place)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, None, None]:
    """Say once a minute how far the kernel is that some test waits for; workers cannot."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if hasattr(session.config, "workerinput") or not reporter:
        yield
        return
    with progress.every_minute(lambda text: reporter.write_line(f"\n{text}")):
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    asked = metafunc.config.getoption("--kernel")
    for fixture, variants in KERNELS.items():
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, [asked] if asked else variants, indirect=True,
                                 ids=[Path(asked).name] if asked else None, scope="session")


# What the tests of a directory build, beside what they say by these fixtures.
BUILT = {"debug": {("page", "debug")},
         "planted": {("page", "bench"), ("pageless", "bench"), ("planted-p2p", "bench"),
                     ("planted-bio", "bench")},
         "smoke": {("pageless", "bench")}}


def kernels_of(item: pytest.Item) -> set[tuple[str, str]]:
    """Return variant and flavour of each kernel that a test needs."""
    names = set(getattr(item, "fixturenames", ()))
    kernels = set(BUILT.get(item.path.parent.name, ()))
    if names & {"page_kernel", "make_guest", "accelerator"}:
        kernels.add(("page", "bench"))
    for fixture in names & set(KERNELS):
        flavour = "bench" if fixture == "peer_kernel" else "debug"
        kernels.add((item.callspec.params[fixture], flavour))  # type: ignore[attr-defined]
    return kernels


def pytest_collection_finish(session: pytest.Session) -> None:
    """Before the first test, say what the machine lacks for the kernels that the tests need."""
    config = session.config
    needed = set().union(*map(kernels_of, session.items))
    if not needed or config.option.collectonly or config.getoption("--kernel"):
        return
    try:
        preflight.check_memory({"each test": read_shape("qemu").memory})
        preflight.check([expected(find_variant(name), flavour)
                         for name, flavour in sorted(needed)])
    except BenchError as error:
        raise pytest.UsageError(str(error)) from None


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
    """The one of them that tests itself."""
    return open_kernel(request.param, "debug")


def open_kernel(name: str, flavour: str) -> Kernel:
    """Return a variant's kernel, or the one that was built in a directory."""
    if (Path(name) / "bzImage").is_file():
        directory = Path(name).resolve()
        return Kernel(find_variant("pageless"), flavour, directory.name, directory)
    return build(find_variant(name), flavour)


@pytest.fixture(scope="session")
def accelerator(request: pytest.FixtureRequest) -> Accelerator:
    """What QEMU can use here."""
    return accel.choose(open_kernel(request.config.getoption("--kernel") or "page",
                                     "bench").bzimage)


@pytest.fixture
def make_guest(request: pytest.FixtureRequest, accelerator: Accelerator,
               tmp_path: Path) -> GuestMaker:
    """Return a maker of guests: kernel parameters, and what a test needs otherwise."""
    def make(cmdline: str = "", pace: Pace | None = None, kernel: Kernel | None = None,
             namespace: str = "", board: Board = Board(), cmb: int = 0) -> Guest:
        shape = read_shape("qemu")
        return Guest(kernel or request.getfixturevalue("page_kernel"), accelerator,
                     replace(shape, cmb=cmb or shape.cmb), pace or Pace(),
                     tmp_path / "console.log", cmdline, namespace=namespace, board=board)
    return make

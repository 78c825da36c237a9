# SPDX-License-Identifier: GPL-2.0
"""Where things lie: the checkout, its build directory, and the cache outside it."""

import os
import re
from pathlib import Path

from p2pbench.base.errors import BenchError

ROOT = Path(__file__).resolve().parents[3]
LINUX = ROOT / "linux"
CONFIGS = ROOT / "configs"
SCHEMAS = Path(__file__).resolve().parents[1] / "schemas"
# What Python is given in ROOT to run the boots of a run; pytest's options follow.
RUN_BOOTS = ("-m", "pytest", "-c", "bench/boots/pytest.ini", "--rootdir=bench/boots", "bench/boots")
# The tests keep their runs out of a user's results.
RESULTS = Path(os.environ.get("P2PBENCH_RESULTS") or ROOT / "results").resolve()
BUILD = ROOT / "build"


# What stands in a rule of make, in a command line of Kbuild's and in a list of gcc's options as
# itself. Letters and digits of all languages do.
_UNFIT = re.compile(r"[^\w/.+@~-]")


def home() -> Path:
    """Return the user's home directory."""
    try:
        return Path.home()
    except RuntimeError:
        raise BenchError("there is no home directory for this user: set HOME to one") from None


def cache_dir() -> Path:
    """Return the cache: $P2PBENCH_CACHE, else p2pbench in the XDG cache directory."""
    given = os.environ.get("P2PBENCH_CACHE")
    if given:
        return Path(given).resolve()
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification: a relative path is to be ignored.
    return (xdg if xdg.is_absolute() else home() / ".cache").resolve() / "p2pbench"


def own_environment() -> dict[str, str]:
    """Return what a Python of ours is started with beside program.environment().

    Where its modules are and not a user's, and what bench/help.txt lets a user set.
    """
    given = {name: os.environ[name] for name in ("ACCEL", "P2PBENCH_BASE") if name in os.environ}
    return given | {
        "P2PBENCH_CACHE": str(cache_dir()),
        "PYTHONPATH": str(ROOT / "bench"),
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def check_paths() -> None:
    """Raise BenchError if kernels cannot be built where the checkout or the cache lies.

    The cache need not be there, but it must not be in a directory that is closed to this user.
    """
    for what, path, cure in (
        ("the checkout", ROOT, "move the checkout"),
        ("the kernel cache", cache_dir(), "set P2PBENCH_CACHE to another directory"),
    ):
        unfit = _UNFIT.search(str(path))
        if unfit:
            raise BenchError(
                f"{what} is in {str(path)!r}: make and the kernel's Kbuild take no "
                f"{unfit[0]!r} in a path; {cure}"
            )
    try:
        os.stat(cache_dir() / "base")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise BenchError(
            f"cannot reach the cache {cache_dir()}: {error.strerror}; set "
            "P2PBENCH_CACHE to a directory that you can write to"
        ) from None


def published(text: str) -> str:
    """Return a text of this machine as a published result holds it: without its directories."""
    return text.replace(str(cache_dir()), "$P2PBENCH_CACHE").replace(str(RESULTS), "results")


def shown(path: Path) -> str:
    """Return the path as a user wants to read it: relative to the checkout where inside it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)

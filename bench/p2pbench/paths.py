"""Where things lie: the checkout, its build directory, and the cache outside it."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINUX = ROOT / "linux"
CONFIGS = ROOT / "configs"
SCHEMAS = ROOT / "results"
# The tests keep their runs out of a user's results.
RESULTS = Path(os.environ.get("P2PBENCH_RESULTS") or ROOT / "results").resolve()
BUILD = ROOT / "build"


def cache_dir() -> Path:
    """Return the cache: $P2PBENCH_CACHE, else p2pbench in the XDG cache directory."""
    given = os.environ.get("P2PBENCH_CACHE")
    if given:
        return Path(given).resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "p2pbench"


def published(text: str) -> str:
    """Return a text of this machine as a published result holds it: without its directories."""
    return text.replace(str(cache_dir()), "$P2PBENCH_CACHE").replace(str(RESULTS), "results")


def shown(path: Path) -> str:
    """Return the path as a user wants to read it: relative to the checkout where inside it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)

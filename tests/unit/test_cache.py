"""What the cache holds is listed, and what was used longest ago goes first, unless it is in use."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from p2pbench.base import cache

MIB = 1 << 20


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with two kernels and an image of 1 MiB each, all made a day ago."""
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path))
    for name in ("kernels/old", "kernels/new"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "bzImage").write_bytes(b"x" * MIB)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "abc.cpio").write_bytes(b"x" * MIB)
    for name in ("kernels/old", "kernels/new", "images/abc.cpio"):
        os.utime(tmp_path / name, (0, 0))
    return tmp_path


def use_elsewhere(path: Path) -> None:
    """Use an entry in a process that is gone afterwards."""
    subprocess.run([sys.executable, "-c", f"import pathlib; from p2pbench.base import cache; "
                    f"cache.use(pathlib.Path({str(path)!r}))"], check=True)


def names(entries: list[cache.Entry]) -> list[str]:
    return [entry.path.name for entry in entries]


def test_what_the_cache_holds_is_listed_with_size_age_and_use(filled: Path) -> None:
    use_elsewhere(filled / "kernels" / "new")
    (line,) = [line for line in cache.lines(cache.entries()) if "new" in line]
    assert "kernel new" in line and "1.0 MiB" in line and re.search(r"used +0 h ago", line)
    assert "d ago" in line.split("used")[0]
    assert len(cache.entries()) == 3


def test_what_was_used_longest_ago_goes_first(filled: Path) -> None:
    for name in ("kernels/old", "images/abc.cpio", "kernels/new"):
        use_elsewhere(filled / name)
    removed, busy = cache.prune(2 * MIB + MIB // 2)
    assert (names(removed), busy) == (["old"], [])
    assert sorted(names(cache.entries())) == ["abc.cpio", "new"]


def test_nothing_goes_below_the_limit(filled: Path) -> None:
    assert cache.prune(4 * MIB) == ([], [])
    assert len(cache.entries()) == 3


def test_what_a_process_uses_stays(filled: Path) -> None:
    cache.use(filled / "kernels" / "old")
    removed, busy = cache.prune(0)
    assert names(busy) == ["old"]
    assert sorted(names(removed)) == ["abc.cpio", "new"]
    assert (filled / "kernels" / "old" / "bzImage").exists()

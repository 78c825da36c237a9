# SPDX-License-Identifier: GPL-2.0
"""What the cache holds is listed, and what was used longest ago goes first, unless it is in use."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from p2pbench.base import cache
from p2pbench.base.lock import locked

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
    subprocess.run(
        [
            sys.executable,
            "-c",
            f"import pathlib; from p2pbench.base import cache; "
            f"cache.use(pathlib.Path({str(path)!r}))",
        ],
        check=True,
    )


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


def test_what_a_killed_process_had_only_begun_is_listed_and_goes_unless_it_is_being_made(
    filled: Path,
) -> None:
    begun = [
        "kernels/.new-77",
        "images/.root-77",
        "images/abc.77.new",
        "base/.unpack-77",
        "plugins/.insncount.so.77.doomed",
    ]
    for name in begun:
        (filled / name).mkdir(parents=True)
        (filled / name / "part").write_bytes(b"x" * MIB)
    unfinished = [entry for entry in cache.entries() if entry.kind.startswith("unfinished ")]
    assert sorted(names(unfinished)) == sorted(Path(name).name for name in begun)
    assert sum(entry.size for entry in unfinished) >= len(begun) * MIB
    with locked("kernels"):
        removed, busy = cache.prune(0)
    assert names(busy) == [".new-77"] and len(removed) == 3 + len(begun) - 1
    cache.prune(0)
    assert [path.name for path in (filled / "kernels").iterdir()] == []


def test_a_link_goes_and_what_it_leads_to_stays(filled: Path, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "old"
    (filled / "kernels" / "old").rename(elsewhere)
    (filled / "kernels" / "old").symlink_to(elsewhere)
    (filled / "kernels" / "nowhere").symlink_to("nothing")
    assert len(cache.entries()) == 4
    assert len(cache.prune(-1)[0]) == 4 and cache.entries() == []
    assert (elsewhere / "bzImage").exists()


def test_two_processes_may_prune_at_once(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = cache.entries()
    cache.prune(0)
    monkeypatch.setattr(cache, "entries", lambda: listed)
    assert cache.prune(0) == (listed, [])
    assert list((filled / "kernels").iterdir()) == []


def test_a_clock_that_was_set_back_gives_no_age_below_nothing(filled: Path) -> None:
    later = time.time() + 9e5
    os.utime(filled / "kernels" / "new", (later, later))
    assert not [line for line in cache.lines(cache.entries()) if "-" in line]

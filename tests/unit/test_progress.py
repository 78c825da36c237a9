# SPDX-License-Identifier: GPL-2.0
"""While a kernel builds, it is said how far it is, by whoever builds it or waits for it."""

import time
from pathlib import Path

import pytest

from p2pbench.base import lock
from p2pbench.linux import build_progress

LOG = """\
  SYNC    include/config/auto.conf
  CC      block/bio.o
  AS      arch/x86/entry/entry_64.o
  AR      block/built-in.a
  CC      block/blk-merge.o
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "make.log"
    path.write_text(LOG)
    return path


def test_a_line_says_objects_done_of_how_many_and_the_time_left() -> None:
    assert (
        build_progress.line("page (bench)", 500, 1500, 100.0)
        == "page (bench): 500 of about 1,500 objects, about 3 min 20 s left"
    )
    assert build_progress.line("page (bench)", 1500, 1500, 100.0).endswith("1,500 objects, linking")
    assert build_progress.line("page (bench)", 97, 846, 101.0).endswith("about 13 min left")
    assert build_progress.line("page (bench)", 0, 1500, 9.0).endswith("0 of about 1,500 objects")


def test_objects_are_counted_in_the_log_of_make(log: Path) -> None:
    assert build_progress.objects_in(log) == 3
    assert build_progress.objects_in(log.with_name("none")) == 0


def test_a_build_can_be_followed_by_other_processes_while_it_runs(log: Path) -> None:
    assert build_progress.current() == ""
    with lock.locked("kernels") as hold:
        build_progress.announce(hold, "page (bench)", log, 12)
        assert build_progress.current().startswith("page (bench): 3 of about 12 objects")
    assert build_progress.current() == ""


def test_in_a_log_a_line_is_printed_each_interval(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_progress, "_LOG_S", 0.05)
    with lock.locked("kernels") as hold, build_progress.shown():
        build_progress.announce(hold, "page (bench)", log, 12)
        time.sleep(0.5)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1 and all("3 of about 12 objects" in line for line in lines)

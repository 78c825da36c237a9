# SPDX-License-Identifier: GPL-2.0
"""A disk that is full or cannot be written to, and output that nobody takes, lose nothing."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from straw import BOOTS, Straw
from support import eventually

# More than a run wants to be free when it begins.
SIZE = 272 << 20


@pytest.fixture
def small(straw: Straw) -> Iterator[Straw]:
    """Its results are on a disk of their own, of little more than a run needs."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", straw.results], check=True
    )
    yield straw
    straw.end()
    while os.path.ismount(straw.results):
        subprocess.run(["umount", straw.results], check=True)


def fill(directory: Path) -> None:
    with (directory / "filler").open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, os.statvfs(directory).f_bavail * 4096)


def make_read_only(directory: Path) -> None:
    # Over itself: what is open for writing would keep the disk from becoming read-only.
    subprocess.run(["mount", "--bind", "-o", "ro", directory, directory], check=True)


def make_room(directory: Path) -> None:
    filler = directory / "filler"
    if filler.exists():
        filler.unlink()
    else:
        subprocess.run(["umount", directory], check=True)


@pytest.mark.parametrize(
    ("spoil", "why"), [(fill, "No space left on device"), (make_read_only, "Read-only file system")]
)
@pytest.mark.parametrize(("waiting", "left"), [(BOOTS[1], 2), (BOOTS[2], 1)])
def test_a_disk_that_takes_no_more_loses_no_boot_and_the_run_goes_on_from_there(
    small: Straw, spoil: Callable[[Path], None], why: str, waiting: str, left: int
) -> None:
    small.behave({waiting: {"at": "fio", "do": "wait"}})
    process = small.start(f"--matrix={small.matrix}")
    eventually(lambda: list(small.results.glob(f"*/console/{waiting}.log")))
    spoil(small.results)
    small.go()
    out, err = process.communicate()
    (run,) = small.runs()
    assert process.returncode == 2, out + err
    assert why in err and "Traceback" not in out + err
    assert len(err.splitlines()) == 2
    assert err.endswith(
        f"{left} of 3 boots have not run and 0 were lost; go on with: make bench "
        f"RESUME={run.name}\n"
    )

    make_room(small.results)
    again = small.bench(f"--resume={run.name}")
    assert again.returncode == 0, again.stdout + again.stderr
    assert [small.cases()[boot] for boot in BOOTS] == ["", "", ""]
    assert f"{left} boots" in again.stdout


def test_a_report_that_cannot_be_written_is_shown_and_can_be_made_again(small: Straw) -> None:
    assert small.bench(f"--matrix={small.matrix}").returncode == 0
    make_read_only(small.results)
    (run,) = small.runs()
    process = small.start(f"--resume={run.name}")
    out, err = process.communicate()
    make_room(small.results)
    assert process.returncode == 2 and "All evidence valid" in out
    assert len(err.splitlines()) == 1 and "Read-only file system" in err
    assert f"make report RUN={run.name}" in err


def test_results_that_cannot_be_written_to_are_one_line_before_anything_runs(small: Straw) -> None:
    make_read_only(small.results)
    done = small.bench(f"--matrix={small.matrix}")
    assert done.returncode == 4
    assert "Traceback" not in done.stdout + done.stderr
    assert "cannot be written to" in done.stderr and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("wrapper", "said"),
    [
        (
            'exec "$@" >/dev/full',
            ["standard output: No space left on device; what follows is not shown"],
        ),
        ('exec "$@" >&-', []),
        ('exec "$@" <&- >&- 2>&-', []),
    ],
)
def test_a_run_goes_to_its_end_without_its_output(
    straw: Straw, wrapper: str, said: list[str]
) -> None:
    process = straw.start(f"--matrix={straw.matrix}", wrapper=wrapper)
    _, err = process.communicate()
    assert (process.returncode, err.splitlines()) == (0, said)
    assert [straw.cases()[boot] for boot in BOOTS] == ["", "", ""]
    assert (straw.runs()[0] / "report.html").is_file()


def test_a_run_goes_to_its_end_when_nobody_reads_any_more(straw: Straw) -> None:
    process = straw.start(f"--matrix={straw.matrix}")
    assert process.stdout and process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == ("", 0)
    assert (straw.runs()[0] / "report.html").is_file()

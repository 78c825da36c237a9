# SPDX-License-Identifier: GPL-2.0
"""Every command takes every spelling of a run, and names those that there are."""

import subprocess
import sys
from pathlib import Path

import pytest

from p2pbench.__main__ import main
from p2pbench.base.errors import BenchError
from p2pbench.base.paths import ROOT
from p2pbench.records import runs


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with a journal, in results that lie elsewhere."""
    monkeypatch.setattr(runs, "RESULTS", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "elsewhere" / "20260101-000000-my run"
    directory.mkdir(parents=True)
    for name in ("journal.jsonl", "report.html"):
        (directory / name).write_text("")
    return directory


@pytest.mark.parametrize(
    "spelling",
    [
        "{name}",
        "{name}/",
        "results/{name}",
        "results/{name}/",
        "./results/{name}",
        "{path}",
        "{path}/",
        "{path}/journal.jsonl",
        "{path}/report.html",
        "elsewhere/{name}",
        "elsewhere/{name}/journal.jsonl",
        "results/{name}/journal.jsonl",
        " {name} ",
        "elsewhere/../elsewhere/{name}",
    ],
)
def test_a_run_is_found_by(run: Path, spelling: str) -> None:
    assert runs.find_run(spelling.format(name=run.name, path=run)) == run


def test_a_link_to_a_run_and_one_from_home_are_found(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(run)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert runs.find_run("link") == runs.find_run("~/link") == run


@pytest.mark.parametrize(
    "given",
    [
        "",
        "none",
        "results",
        "elsewhere",
        "/",
        ".",
        "x" * 300,
        "~no/x",
        "elsewhere/20260101-000000-my run/raw",
    ],
)
def test_what_is_no_run_names_the_runs_that_there_are(run: Path, given: str) -> None:
    with pytest.raises(BenchError) as caught:
        runs.find_run(given)
    assert str(caught.value).startswith(f'no run "{given}": expected the name of a run')
    assert str(caught.value).endswith(f"(there: {run.name})")


def test_of_many_runs_the_last_are_named(run: Path) -> None:
    for number in range(7):
        (run.parent / f"run{number}").mkdir()
        (run.parent / f"run{number}" / "journal.jsonl").write_text("")
    assert runs.names() == "3 more, run2, run3, run4, run5, run6"


def test_how_a_run_is_named_is_how_it_is_found(run: Path, tmp_path: Path) -> None:
    outside = tmp_path / "it's outside"
    outside.mkdir()
    (outside / "journal.jsonl").write_text("")
    assert runs.named(run) == "'20260101-000000-my run'"
    for directory in (run, outside):
        words = subprocess.run(
            ["sh", "-c", f"printf %s {runs.named(directory)}"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert runs.find_run(words.stdout) == directory


def test_each_command_takes_them(run: Path) -> None:
    with pytest.raises(BenchError, match="no whole first line"):
        main(["report", run.name])
    with pytest.raises(BenchError, match=f"make report RUN='{run.name}'"):
        main(["compare", run.name, run.name])


@pytest.mark.parametrize(
    "words",
    [
        ["report", "RUN=none"],
        ["compare", "A=none", "B=none"],
        ["reference", "RUN=none"],
        ["bench", "RESUME=none"],
    ],
)
def test_make_passes_the_words_as_they_are(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", *words, f"PYTHON={sys.executable}"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2
    assert 'no run "none": expected the name of a run' in done.stderr

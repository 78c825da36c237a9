# SPDX-License-Identifier: GPL-2.0
"""What a patch says below its "---" is a git note in a tree, and comes back from there."""

from pathlib import Path

import pytest

from p2pbench.linux import tree, variants
from p2pbench.linux.variants import Variant

VARIANT = Variant("v", "6.1", ("s",), False)
NOTES = "Since the first version: a line.\n\nTo check: another one.\n"


@pytest.fixture
def series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A series of two patches, the second with notes, in a linux/ of the test's own."""
    monkeypatch.setattr(variants, "LINUX", tmp_path / "linux")
    directory = tmp_path / "linux" / "6.1" / "s"
    directory.mkdir(parents=True)
    tree.git(tmp_path, "init", "-q", "-b", "base", "origin")
    origin = tmp_path / "origin"
    commit(origin, "0", "The base")
    commit(origin, "1", "First")
    commit(origin, "2", "Second")
    tree.git(origin, "notes", "add", "-m", NOTES)
    tree._export(origin, directory, "HEAD~2..HEAD")
    return directory


@pytest.fixture
def applied(tmp_path: Path, series: Path) -> Path:
    """The series in a tree that knows nothing of it but its files."""
    directory = tmp_path / "applied"
    tree.git(tmp_path, "init", "-q", "-b", "base", str(directory))
    commit(directory, "0", "The base")
    tree.git(directory, "config", "notes.rewriteRef", "refs/notes/commits")
    tree._apply(directory, VARIANT, "s")
    return directory


def commit(directory: Path, content: str, subject: str) -> None:
    (directory / "file").write_text(f"{content}\n")
    tree.git(directory, "add", "file")
    tree.git(directory, "commit", "-q", "-m", f"{subject}\n\nWhy.")


def test_notes_stand_below_the_message_and_not_in_it(series: Path) -> None:
    first, second = sorted(series.glob("*.patch"))
    assert tree.notes_of(first) == ""
    assert tree.notes_of(second) == NOTES
    message, rest = second.read_text().split("\n---\n", 1)
    assert "To check" not in message and "To check" in rest


def test_notes_are_applied_and_exported_byte_for_byte(series: Path, applied: Path) -> None:
    before = {path.name: path.read_bytes() for path in series.iterdir()}
    assert tree.git(applied, "notes", "show").stdout == NOTES
    assert "To check" not in tree.git(applied, "log", "--format=%B").stdout
    assert tree._export(applied, series, "HEAD~2..HEAD") == []
    assert {path.name: path.read_bytes() for path in series.iterdir()} == before


def test_notes_stay_with_a_commit_that_is_changed(series: Path, applied: Path) -> None:
    (applied / "file").write_text("3\n")
    tree.git(applied, "commit", "-q", "-a", "--amend", "-m", "Second\n\nWhy else.")
    tree._export(applied, series, "HEAD~2..HEAD")
    _, second = sorted(series.glob("*.patch"))
    assert "Why else." in second.read_text()
    assert tree.notes_of(second) == NOTES

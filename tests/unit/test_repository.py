# SPDX-License-Identifier: GPL-2.0
"""Provenance is of this checkout or unknown, and dirty when a source is no commit's."""

import shutil
import subprocess
from pathlib import Path

import pytest

from p2pbench.base import repository


def git(directory: Path, *args: str) -> str:
    who = [
        "-c",
        "user.name=somebody",
        "-c",
        "user.email=somebody@localhost",
        "-c",
        "init.defaultBranch=main",
    ]
    done = subprocess.run(
        ["git", *who, *args], cwd=directory, text=True, capture_output=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a source, a document and what is ignored."""
    root = tmp_path / "checkout"
    (root / "bench").mkdir(parents=True)
    (root / "results").mkdir()
    (root / "bench" / "a.py").write_text("1\n")
    (root / "README.md").write_text("read me\n")
    (root / ".gitignore").write_text("*.pyc\n/results/*\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_a_clean_checkout_is_of_its_commit(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    (checkout / "results" / "run").mkdir()
    (checkout / "results" / "run" / "journal.jsonl").write_text("")
    (checkout / "bench" / "a.pyc").write_text("")
    (checkout / "notes.txt").write_text("no source")
    assert repository.state(checkout) == {"commit": head, "dirty": False}


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "bench/a.py",
        "bench/new.py",
        "configs/my.toml",
        "linux/6.1/mine/0001-x.patch",
        "Makefile",
    ],
)
def test_a_change_and_a_source_that_git_does_not_track_are_dirty(checkout: Path, name: str) -> None:
    (checkout / name).parent.mkdir(parents=True, exist_ok=True)
    (checkout / name).write_text("2\n")
    assert repository.state(checkout)["dirty"] is True


def test_a_users_own_settings_hide_no_source(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home" / ".config" / "git").mkdir(parents=True)
    (tmp_path / "home" / ".config" / "git" / "ignore").write_text("*.toml\n")
    (tmp_path / "home" / ".gitconfig").write_text("[status]\n\tshowUntrackedFiles = no\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    git(checkout, "config", "status.showUntrackedFiles", "no")
    (checkout / "configs").mkdir()
    (checkout / "configs" / "my.toml").write_text("")
    assert repository.state(checkout)["dirty"] is True


def test_a_source_that_only_this_checkout_ignores_is_dirty(checkout: Path) -> None:
    (checkout / ".git" / "info" / "exclude").write_text("*.patch\n")
    (checkout / "linux").mkdir()
    (checkout / "linux" / "0001-x.patch").write_text("2\n")
    assert repository.state(checkout)["dirty"] is True


@pytest.mark.parametrize(
    ("flag", "without"), [("--assume-unchanged", True), ("--skip-worktree", False)]
)
def test_a_source_that_git_does_not_look_at_is_dirty_but_for_a_sparse_checkouts(
    checkout: Path, flag: str, without: bool
) -> None:
    git(checkout, "update-index", flag, "bench/a.py")
    (checkout / "bench" / "a.py").write_text("2\n")
    assert git(checkout, "status", "--porcelain") == ""
    assert repository.state(checkout)["dirty"] is True
    (checkout / "bench" / "a.py").unlink()
    assert repository.state(checkout)["dirty"] is without


def test_a_file_system_monitor_that_sees_no_change_is_not_asked(checkout: Path) -> None:
    monitor = checkout.parent / "monitor"
    monitor.write_text("#!/bin/sh\nprintf 'token\\0'\n")
    monitor.chmod(0o755)
    git(checkout, "config", "core.fsmonitor", str(monitor))
    git(checkout, "status")
    (checkout / "bench" / "a.py").write_text("2\n")
    assert git(checkout, "status", "--porcelain") == ""
    assert repository.state(checkout)["dirty"] is True


def test_sources_inside_another_repository_are_of_no_commit(checkout: Path) -> None:
    inner = checkout / "unpacked"
    shutil.copytree(checkout / "bench", inner / "bench")
    state = repository.state(inner)
    assert (state["commit"], state["dirty"]) == ("unknown", None)
    assert f"only part of the one in {checkout}" in state["note"]


def test_sources_without_a_repository_are_of_no_commit(tmp_path: Path) -> None:
    state = repository.state(tmp_path)
    assert (state["commit"], state["dirty"]) == ("unknown", None)
    assert "not a git repository" in state["note"]


def test_a_repository_without_a_commit_has_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert repository.state(tmp_path)["commit"] == "unknown"


def test_another_repository_that_the_shell_names_is_not_this_one(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    git(other, "commit", "-q", "--allow-empty", "-m", "other")
    head = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(checkout))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert repository.state(checkout) == {"commit": head, "dirty": False}


def test_a_checkout_of_another_owner_is_known(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    subprocess.run(["chown", "-R", "12345:12345", checkout], check=True)
    assert repository.state(checkout) == {"commit": head, "dirty": False}
    (checkout / "bench" / "a.py").write_text("2\n")
    assert repository.state(checkout) == {"commit": head, "dirty": True}


def test_worktrees_shallow_clones_and_links_to_a_checkout_are_known(
    checkout: Path, tmp_path: Path
) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    git(checkout, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    git(tmp_path, "clone", "-q", "--depth", "1", checkout.as_uri(), "shallow")
    (tmp_path / "link").symlink_to(checkout)
    states = [repository.state(tmp_path / name) for name in ("tree", "shallow", "link")]
    assert states == [{"commit": head, "dirty": False}] * 3


def test_a_git_that_fails_is_named(checkout: Path) -> None:
    (checkout / ".git" / "index").write_bytes(b"no index")
    state = repository.state(checkout)
    assert (state["commit"], state["dirty"]) == ("unknown", None)
    assert "index" in state["note"] and "\n" not in state["note"]

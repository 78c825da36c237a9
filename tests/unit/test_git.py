# SPDX-License-Identifier: GPL-2.0
"""git in the trees of kernels: what a user's interruption leaves of it."""

import os
import signal
import threading
from pathlib import Path
from types import FrameType

import pytest

from p2pbench.linux import tree
from support import eventually


def interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def test_a_git_that_was_interrupted_does_not_lock_its_tree(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    tree.git(tmp_path, "init", "-q")
    hook = tmp_path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexec sleep 1000\n")
    hook.chmod(0o755)
    (tmp_path / "file").write_text("1\n")
    tree.git(tmp_path, "add", "file")
    lock = tmp_path / ".git" / "index.lock"

    def when_locked() -> None:
        eventually(lock.exists)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    request.addfinalizer(lambda: signal.signal(signal.SIGUSR1, before))
    threading.Thread(target=when_locked, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        tree.git(tmp_path, "commit", "-a", "-m", "one")
    tree.git(tmp_path, "reset", "-q", "file")

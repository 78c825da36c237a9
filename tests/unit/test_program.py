# SPDX-License-Identifier: GPL-2.0
"""What the harness starts has one environment, says why it failed, and never outlives it."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from p2pbench.base import lock, paths, program
from p2pbench.base.errors import BenchError
from support import HOSTILE, default_signals, wait_gone


def test_a_program_sees_no_variable_but_those_that_are_let_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    lines = program.run("env", extra={"KBUILD_BUILD_USER": "p2pbench"}).stdout.splitlines()
    names = {line.split("=", 1)[0] for line in lines} - {"PWD", "SHLVL", "_", "OLDPWD"}
    assert names <= {
        "PATH",
        "HOME",
        "TMPDIR",
        "CCACHE_DIR",
        "CCACHE_MAXSIZE",
        "CCACHE_DISABLE",
        "LC_ALL",
        "CCACHE_CONFIGPATH",
        "KBUILD_BUILD_USER",
    }
    assert "LC_ALL=C" in lines and "CCACHE_CONFIGPATH=/dev/null" in lines


def test_a_python_of_ours_has_what_a_user_may_set_and_no_modules_of_the_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("P2PBENCH_BASE", "/base.tar.xz")
    monkeypatch.setenv("ACCEL", "tcg")
    text = (
        "import os, site; from p2pbench.base import paths; print(site.ENABLE_USER_SITE, "
        "os.environ['P2PBENCH_BASE'], os.environ['ACCEL'], paths.cache_dir())"
    )
    done = program.run(sys.executable, "-c", text, extra=paths.own_environment())
    assert done.stdout == f"False /base.tar.xz tcg {paths.cache_dir()}\n", done.stderr


def test_a_program_makes_files_that_others_can_read_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        program.run("touch", tmp_path / "file")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_input_output_and_exit_status_come_through() -> None:
    done = program.run("sh", "-c", "cat; echo aside >&2; exit 3", stdin="word\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, "word\n", "aside\n")


def test_a_program_that_is_not_there_says_make_deps() -> None:
    with pytest.raises(BenchError, match="no-such-tool not found; run `make deps`"):
        program.run("no-such-tool")


def _read_pids(file: Path) -> list[int]:
    """Wait until both the program and its child have written their process ids."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        words = file.read_text().split() if file.exists() else []
        if len(words) == 2:
            return [int(word) for word in words]
        time.sleep(0.02)
    pytest.fail("the program did not start")


# A program with a child, as make has its compilers; both ignore what is not SIGKILL.
FAMILY = 'trap "" TERM INT HUP; echo $$ >>"$1"; sh -c \'echo $$ >>"$1"; sleep 600\' sh "$1"; true'


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_what_a_program_started_ends_with_the_harness(
    tmp_path: Path, number: signal.Signals
) -> None:
    pids = tmp_path / "pids"
    text = (
        f"from p2pbench.base import program\n"
        f"program.run('sh', '-c', {FAMILY!r}, 'sh', {str(pids)!r})\n"
    )
    harness = subprocess.Popen(
        [sys.executable, "-c", text], stderr=subprocess.DEVNULL, preexec_fn=default_signals
    )
    family = _read_pids(pids)
    harness.send_signal(number)
    harness.wait()
    wait_gone(family)


def test_what_a_program_started_ends_when_its_time_is_up(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(subprocess.TimeoutExpired):
        program.run("sh", "-c", FAMILY, "sh", pids, timeout_s=1.0)
    wait_gone(_read_pids(pids))


def _is_free(lock_file: Path) -> bool:
    with lock_file.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_a_lock_is_held_as_long_as_what_it_protects_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The harness is gone, and the program that it started with the lock is not, yet."""
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path))
    with lock.locked("thing") as hold:
        program_of_the_lock = subprocess.Popen(["sleep", "600"], pass_fds=[hold])
    try:
        assert not _is_free(tmp_path / "thing.lock")
    finally:
        program_of_the_lock.kill()
        program_of_the_lock.wait()
    assert _is_free(tmp_path / "thing.lock")


def _stderr_of_make(directory: Path, text: str) -> str:
    (directory / "Makefile").write_text(text)
    return program.run("make", "-C", directory).stderr


def test_the_reason_of_make_is_not_its_last_line(tmp_path: Path) -> None:
    stderr = _stderr_of_make(tmp_path, "all:\n\t$(MAKE) -f Makefile.arm\n")
    assert program.why(stderr) == "make[1]: Makefile.arm: No such file or directory"
    assert "Error 2" in stderr.splitlines()[-1]
    assert (
        program.why(_stderr_of_make(tmp_path, "include arch/none/Makefile\n"))
        == "Makefile:1: arch/none/Makefile: No such file or directory"
    )
    assert (
        program.why(_stderr_of_make(tmp_path, "$(error no spaces or colons, please)\n"))
        == "Makefile:1: *** no spaces or colons, please.  Stop."
    )


def test_the_reason_of_a_compiler_is_its_first_error(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int a = b;\nint c = d;\n")
    stderr = _stderr_of_make(tmp_path, "all:\n\tgcc -c a.c\n")
    assert "a.c:1:9: error: 'b' undeclared" in program.why(stderr)


def test_the_reason_of_git_is_not_its_advice(tmp_path: Path) -> None:
    advice = (
        "fatal: detected dubious ownership in repository at '/x'\n"
        "To add an exception for this directory, call:\n\n"
        "\tgit config --global --add safe.directory /x\n"
    )
    assert program.why(advice) == "fatal: detected dubious ownership in repository at '/x'"
    done = program.run("git", "rev-parse", "HEAD", cwd=tmp_path)
    assert program.why(done.stderr).startswith("fatal: not a git repository")


def test_a_program_that_says_nothing_has_no_reason() -> None:
    assert program.why("\n \n") == "it said nothing"
    assert program.why("only this\n") == "only this"

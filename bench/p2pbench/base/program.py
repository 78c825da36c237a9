# SPDX-License-Identifier: GPL-2.0
"""Every program that the harness starts: in one environment, and never outliving the harness.

What a user's shell holds must not change what is measured, so a program gets the variables
that are let through here, and no others.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from p2pbench.base.errors import BenchError

# Where programs and their files are; nothing that changes what a program makes.
_LET_THROUGH = ("PATH", "HOME", "TMPDIR", "CCACHE_DIR", "CCACHE_MAXSIZE", "CCACHE_DISABLE")
# The same words in messages, and the same order of names, whatever the user's language. A
# configuration of ccache's can name another compiler check, or a prefix to each command.
_FIXED = {"LC_ALL": "C", "CCACHE_CONFIGPATH": os.devnull}
# A user's PATH may lack these.
_SBIN = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# The first process of a group. When the harness dies, however that happens, the kernel tells
# it, and it ends the group: a make that dies alone leaves its compilers behind.
_GUARD = (
    "setpriv",
    "--pdeathsig",
    "TERM",
    "sh",
    "-c",
    'trap "kill -KILL 0" TERM; exec 3<&0; "$@" <&3 3<&- & wait $!',
    "sh",
)
# What says why a program failed, and what looks so but only repeats that something did.
_REASON = re.compile(
    r"\b(error|fatal)\b(?!-)|\*\*\* |undefined reference|No space left|"
    r"No such file|not found|cannot|Permission denied|Killed",
    re.I,
)
_ECHO = re.compile(
    r"\*\*\* \[.*\] (Error \d+|Terminated|Killed)|^hint:|"
    r"^\S*: Waiting for unfinished jobs|errors? generated\.$"
)


def environment(**extra: str) -> dict[str, str]:
    """Return the environment of every program that the harness starts, and what one adds to it."""
    env = {name: os.environ[name] for name in _LET_THROUGH if name in os.environ}
    return env | {"PATH": search_path()} | _FIXED | extra


def search_path() -> str:
    """Return where programs are looked for: the user's PATH, then the system's directories."""
    given = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    return os.pathsep.join(dict.fromkeys([*given, *_SBIN]))


def find_tool(name: str) -> Path:
    """Return a program's path; the sbin directories count although a user's PATH lacks them."""
    path = shutil.which(name, path=search_path())
    if not path:
        raise BenchError(f"{name} not found; run `make deps`")
    return Path(path)


def start(
    *command: str | Path,
    cwd: Path | None = None,
    extra: Mapping[str, str] | None = None,
    output: IO[Any] | None = None,
    hold: Sequence[int] = (),
) -> subprocess.Popen[str]:
    """Start a program, the first of a group of its own that ends with the harness.

    extra are variables beside environment()'s. output is a file for both of its streams, which
    are pipes otherwise. hold are file descriptors that stay open as long as anything of it runs.
    """
    words = [str(find_tool(str(command[0]))), *map(str, command[1:])]
    stdout: int | IO[Any] = subprocess.PIPE if output is None else output
    stderr = subprocess.PIPE if output is None else subprocess.STDOUT
    return subprocess.Popen(
        [*_GUARD, *words],
        cwd=cwd,
        env=environment(**(extra or {})),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        text=True,
        encoding="utf-8",
        errors="replace",
        process_group=0,
        pass_fds=hold,
        umask=0o022,
    )


def stop(process: subprocess.Popen[str]) -> None:
    """Kill what start() started, and all that it started, and wait for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(
    *command: str | Path,
    cwd: Path | None = None,
    extra: Mapping[str, str] | None = None,
    stdin: str = "",
    output: IO[Any] | None = None,
    timeout_s: float | None = None,
    hold: Sequence[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return its exit status and what it printed, as text.

    cwd, extra, output and hold are start()'s. When this is interrupted, or the time is up
    (subprocess.TimeoutExpired), all that the program started is killed.
    """
    process = start(*command, cwd=cwd, extra=extra, output=output, hold=hold)
    try:
        out, err = process.communicate(stdin, timeout=timeout_s)
    except BaseException:
        stop(process)
        raise
    return subprocess.CompletedProcess(command, process.returncode, out or "", err or "")


def why(text: str) -> str:
    """Return the line of a failed program's output that says why it failed.

    The first line that names an error, not one that repeats it (make's "Error 2") or advises.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not _ECHO.search(line)]
    reasons = [line for line in telling if _REASON.search(line)]
    return (reasons or telling[-1:] or lines[-1:] or ["it said nothing"])[0]

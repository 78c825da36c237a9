# SPDX-License-Identifier: GPL-2.0
"""What the tests share: runs of the harness, and the processes that they start."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from p2pbench.base.paths import ROOT, RUN_BOOTS
from p2pbench.testbed.qemu import Guest

GuestMaker = Callable[..., Guest]

# What a user's shell may hold: each has changed a build, an image, a message or a run somewhere.
HOSTILE = {
    "ARCH": "arm64",
    "CROSS_COMPILE": "aarch64-linux-gnu-",
    "LLVM": "1",
    "KCFLAGS": "-O3 -DEVIL",
    "KAFLAGS": "-DEVIL",
    "KCPPFLAGS": "-DEVIL",
    "KCONFIG_CONFIG": "/nonexistent/my.config",
    "KBUILD_OUTPUT": "/nonexistent",
    "KBUILD_EXTRA_SYMBOLS": "/nonexistent",
    "O": "/nonexistent",
    "LOCALVERSION": "-evil",
    "INSTALL_MOD_STRIP": "1",
    "V": "1",
    "W": "1",
    "C": "1",
    "CC": "clang",
    "HOSTCC": "clang",
    "CFLAGS": "-O0 -fsanitize=address",
    "CPPFLAGS": "-DEVIL",
    "LDFLAGS": "-static",
    "LDLIBS": "-levil",
    "HOSTCFLAGS": "-DEVIL",
    "MAKEFLAGS": "k",
    "MAKEFILES": "/nonexistent",
    "CPATH": "/nonexistent",
    "C_INCLUDE_PATH": "/nonexistent",
    "LIBRARY_PATH": "/nonexistent",
    "GCC_EXEC_PREFIX": "/nonexistent/",
    "COMPILER_PATH": "/nonexistent",
    "SOURCE_DATE_EPOCH": "1",
    "LD_LIBRARY_PATH": "/nonexistent",
    "LD_RUN_PATH": "/nonexistent",
    "CCACHE_PREFIX": "/nonexistent",
    "CCACHE_SLOPPINESS": "file_macro,time_macros",
    "CCACHE_COMPILERCHECK": "none",
    "GIT_DIR": "/nonexistent",
    "GIT_WORK_TREE": "/nonexistent",
    "GIT_INDEX_FILE": "/nonexistent",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.autocrlf",
    "GIT_CONFIG_VALUE_0": "true",
    "GREP_OPTIONS": "-v",
    "TAR_OPTIONS": "--exclude=*.h",
    "CDPATH": "/usr",
    "BASH_ENV": "/dev/null",
    "POSIXLY_CORRECT": "1",
    "IFS": "e",
    "PERL5LIB": "/nonexistent",
    "PERL5OPT": "-Mevil",
    "QEMU_AUDIO_DRV": "none",
    "LANG": "de_DE.UTF-8",
    "LC_ALL": "de_DE.ISO-8859-1",
    "LANGUAGE": "de",
    "TZ": "Asia/Kathmandu",
    "PYTHONHOME": "/opt/py",
    "PYTHONSTARTUP": "/x",
    "PYTHONOPTIMIZE": "2",
    "PYTHONIOENCODING": "ascii",
    "PYTHONWARNINGS": "error",
    "PYTEST_ADDOPTS": "--collect-only -k nothing",
    "PYTEST_PLUGINS": "xdist",
    "PYTEST_TIMEOUT": "2",
}


def default_signals() -> None:
    """Undo what this process ignores: pytest may itself run in the background."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start_bench(results: Path, *args: str) -> subprocess.Popen[str]:
    """Start the harness as `make bench` does, with its results in a directory of the test's."""
    command = [sys.executable, *RUN_BOOTS, *args]
    env = os.environ | {
        "P2PBENCH_RESULTS": str(results),
        "PYTHONPATH": str(ROOT / "bench"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "COLUMNS": "200",
    }
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=default_signals,
    )


def qemu_children(parent: int) -> list[int]:
    """Return the QEMU processes that a process started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if "Name:\tqemu-system" in text and f"\nPPid:\t{parent}\n" in text:
            found.append(int(status.parent.name))
    return found


def is_running(pid: int) -> bool:
    """Say whether a process exists and is no zombie."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def eventually(reached: Callable[[], object]) -> None:
    """Wait until something is so; the limit is only there for a test that fails."""
    deadline = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def wait_gone(pids: list[int]) -> None:
    """Wait until none of these processes runs any more."""
    deadline = time.monotonic() + 10
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, pids))

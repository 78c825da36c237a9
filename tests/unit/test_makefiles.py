# SPDX-License-Identifier: GPL-2.0
"""What the harness compiles for itself is the same in any shell, by its Makefiles alone."""

import os
import subprocess
from pathlib import Path

import pytest

from p2pbench.base.paths import ROOT

# What people have in their shells who build kernels and programs of their own.
HOSTILE = {
    "CC": "false",
    "CFLAGS": "-O0 -DHOSTILE",
    "CPPFLAGS": "-DHOSTILE",
    "CLEAN": "false",
    "LDFLAGS": "-nostdlib",
    "LDLIBS": "-lhostile",
    "COMPILER_PATH": "/nowhere",
    "KCFLAGS": "-O3",
    "EXTRA_CFLAGS": "-O3",
    "ARCH": "arm64",
    "LLVM": "1",
    "CROSS_COMPILE": "aarch64-linux-gnu-",
}
# make -e prefers the environment to a Makefile, and a command line comes before both.
STRONGER = ("-e", "CC=false", "CFLAGS=-O0", "CPPFLAGS=-DHOSTILE")


def make(
    directory: str, out: Path, *words: str | Path, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-j2", "-C", ROOT / "bench" / directory, f"O={out}", *words],
        env=os.environ | env,
        capture_output=True,
        text=True,
    )


def build(directory: str, name: str, out: Path, *words: str, **env: str) -> bytes:
    done = make(directory, out, *words, **env)
    assert done.returncode == 0, done.stderr
    return (out / name).read_bytes()


@pytest.fixture
def headers(tmp_path: Path) -> dict[str, str]:
    """A place of the user's own where gcc looks first, with a header that is not to be used."""
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "errno.h").write_text("#error a header of the user's own\n")
    return {"CPATH": str(tmp_path / "include"), "C_INCLUDE_PATH": str(tmp_path / "include")}


@pytest.mark.parametrize(
    "directory, name",
    [("agent", "p2pagent"), ("insncount", "insncount-1.so"), ("insncount", "insncount-4.so")],
)
def test_flags_of_the_users_shell_change_no_byte(
    directory: str, name: str, tmp_path: Path, headers: dict[str, str]
) -> None:
    plain = build(directory, name, tmp_path / "plain")
    assert build(directory, name, tmp_path / "mine", *STRONGER, **HOSTILE | headers) == plain


@pytest.mark.parametrize("directory", ["agent", "insncount"])
def test_what_was_built_with_other_flags_is_built_again(directory: str, tmp_path: Path) -> None:
    assert make(directory, tmp_path).returncode == 0
    assert make(directory, tmp_path, "-q").returncode == 0
    for name in (f"{directory}/Makefile", "compiler.mk"):
        assert make(directory, tmp_path, "-q", "-W", ROOT / "bench" / name).returncode == 1


def test_a_modules_build_sees_nothing_of_the_users_shell(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernel.mkdir()
    (kernel / "Makefile").write_text("modules:\n\t@env\n")
    done = make("provider", tmp_path / "out", f"KDIR={kernel}", *STRONGER, **HOSTILE)
    assert done.returncode == 0, done.stderr
    seen = {line.partition("=")[0] for line in done.stdout.splitlines() if "=" in line}
    assert {"PATH", "HOME", "LC_ALL"} <= seen
    assert not seen & set(HOSTILE)

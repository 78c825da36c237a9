"""Before anything is built, each thing that is missing is one clear line that says what to do."""

import os
import shutil
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

from p2pbench import accel, preflight, program
from p2pbench.errors import BenchError
from p2pbench.paths import ROOT

DEPS = ROOT / "bench" / "deps.sh"


def stubs(directory: Path, **programs: str) -> dict[str, str]:
    """Return an environment whose PATH has only these shell programs and a few real ones."""
    directory.mkdir()
    for name, body in programs.items():
        (directory / name).write_text(f"#!/bin/sh\n{body}\n")
        (directory / name).chmod(0o755)
    for name in ("tr", "mktemp", "rm", "grep", "tail", "printf", "cat"):
        (directory / name).symlink_to(shutil.which(name) or "/bin/false")
    return {"PATH": str(directory)}


def test_this_machine_is_complete() -> None:
    preflight.check(builds=False)
    done = subprocess.run([DEPS, "list"], capture_output=True, text=True)
    assert done.stdout.strip() == ""


def test_a_missing_program_says_make_deps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_SBIN", ())
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(BenchError, match="not found: qemu-system-x86_64, .*fio.*`make deps`"):
        preflight.check(builds=False)


def test_a_qemu_without_a_device_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = tmp_path / "qemu-system-x86_64"
    stub.write_text("#!/bin/sh\nqemu=$(PATH=/usr/bin:/bin command -v qemu-system-x86_64)\n"
                    "$qemu -device help | grep -v -e '\"nvme' -e ivshmem-plain\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(BenchError, match="has no device nvme, nvme-ns, ivshmem-plain;"):
        preflight.check(builds=False)


def test_a_full_disk_says_which_how_full_and_how_much_is_needed(
        monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(1 << 40, 1 << 40, 300 << 20))
    preflight.check(builds=False)
    with pytest.raises(BenchError, match="is full: 300 MiB free, .* needs 4096 MiB"):
        preflight.check(builds=True)


def test_an_unknown_accelerator_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ACCEL", "kvn")
    with pytest.raises(BenchError, match='ACCEL="kvn".*kvm, tcg'):
        accel.choose(tmp_path)


def test_a_kvm_that_hangs_costs_seconds_and_is_named(monkeypatch: pytest.MonkeyPatch,
                                                     tmp_path: Path) -> None:
    hanging = tmp_path / "qemu-system-x86_64"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ACCEL", raising=False)
    monkeypatch.setattr(accel, "_KVM", tmp_path)
    monkeypatch.setattr(accel, "_PROBE_S", 0.3)
    chosen = accel.choose(tmp_path / "bzImage")
    assert chosen.name == "tcg"
    assert "/dev/kvm is there, but a guest under it hung" in chosen.reason
    hanging.unlink()
    assert accel.choose(tmp_path / "bzImage") == chosen


def test_deps_without_root_names_the_packages_and_the_way(tmp_path: Path) -> None:
    env = stubs(tmp_path / "bin", id="echo 1000", **{"dpkg-query": "exit 1"})
    done = subprocess.run(["/bin/sh", DEPS, "install"], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "missing packages: linux-source-6.1 " in done.stderr
    assert "run 'make deps' as root" in done.stderr


def test_deps_without_a_network_says_so_in_one_line(tmp_path: Path) -> None:
    env = stubs(tmp_path / "bin", id="echo 0",
                **{"dpkg-query": '[ "$4" != fio ] && echo installed',
                   "apt-get": "echo 'E: Failed to fetch' >&2; exit 100"})
    done = subprocess.run(["/bin/sh", DEPS, "install"], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "apt-get could not install: fio - is there a network" in done.stderr


def test_deps_asks_for_nothing_when_all_is_there(tmp_path: Path) -> None:
    env = stubs(tmp_path / "bin", id="echo 1000", **{"dpkg-query": "echo installed"})
    done = subprocess.run(["/bin/sh", DEPS, "install"], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_guest_that_is_larger_than_the_machine_says_what_to_leave_out(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "host_memory", lambda: 8 << 30)
    preflight.check_memory(6 << 30, "memory-256g")
    with pytest.raises(BenchError, match="memory-512g needs a guest of 11264 MiB, this machine has "
                       "8192 MiB; leave it out with PYTEST_ARGS=\"-k 'not memory-512g'\""):
        preflight.check_memory(11 << 30, "memory-512g")

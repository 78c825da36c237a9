# SPDX-License-Identifier: GPL-2.0
"""Before anything is built, each thing that is missing is one clear line that says what to do."""

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from p2pbench.base import paths, program
from p2pbench.base.errors import BenchError
from p2pbench.base.paths import ROOT
from p2pbench.linux import tree
from p2pbench.linux.kernel import Kernel
from p2pbench.linux.variants import find_variant
from p2pbench.testbed import accelerators, limits, preflight

GIB = 1 << 30


def kernel_in(cache: Path, variant: str = "page", flavour: str = "bench") -> Kernel:
    """A kernel that is not built."""
    return Kernel(find_variant(variant), flavour, "0", cache / "kernels" / f"{variant}-{flavour}-0")


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh machine's directories, on one file system."""
    for module in (preflight, tree):
        monkeypatch.setattr(module, "BUILD", tmp_path / "build")
    monkeypatch.setattr(preflight, "RESULTS", tmp_path / "results")
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CCACHE_DIR", str(tmp_path / "ccache"))
    return tmp_path


def room(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Let every file system have so many bytes left."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(1 << 40, 1 << 40, free))


def test_this_machine_is_complete() -> None:
    preflight.check([])
    preflight.check_groups(["python", "build", "guest", "source", "test"])


def test_a_missing_program_says_make_deps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_SBIN", ())
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(BenchError, match="not found: make, gcc, .*`make deps`"):
        preflight.check([])
    with pytest.raises(BenchError, match="not found: qemu-system-x86_64, .*fio.*`make deps`"):
        preflight.check_tools(["guest"])


def test_a_missing_module_and_a_missing_header_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(preflight._MODULES, "python", ("pytest", "scipi"))
    monkeypatch.setitem(preflight._HEADERS, "guest", {"stdio.h": "libc", "jansonn.h": "jansson"})
    with pytest.raises(BenchError) as caught:
        preflight.check_tools(["python", "guest"])
    assert str(caught.value).startswith("not found: Python's scipi; run `make deps`, or ")
    with pytest.raises(BenchError, match="^not found: the headers of jansson; "):
        preflight.check_tools(["guest"])


def test_a_qemu_without_a_device_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = tmp_path / "qemu-system-x86_64"
    stub.write_text(
        "#!/bin/sh\nqemu=$(PATH=/usr/bin:/bin command -v qemu-system-x86_64)\n"
        "$qemu -device help | grep -v -e '\"nvme' -e ivshmem-plain\n"
    )
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(BenchError, match="has no device nvme, nvme-ns, ivshmem-plain;"):
        preflight.check([])


def test_a_full_disk_says_which_how_full_and_how_much_is_needed(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room(monkeypatch, 300 << 20)
    with pytest.raises(BenchError) as caught:
        preflight.check_room([kernel_in(empty)])
    text = str(caught.value)
    assert text.startswith(
        f"the disk of {empty} is full: 300 MiB free, for the build and a "
        "run's results and the kernel cache and ccache it needs "
    )
    room(monkeypatch, 100 * GIB)
    preflight.check_room([kernel_in(empty)])


def needed(monkeypatch: pytest.MonkeyPatch, *kernels: Kernel) -> int:
    """The MiB that must be free for these kernels, as the error says."""
    room(monkeypatch, 0)
    with pytest.raises(BenchError) as caught:
        preflight.check_room(kernels)
    return int(str(caught.value).split()[-2])


def test_each_kernel_to_build_needs_room_and_one_that_is_there_none(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = [kernel_in(empty, name) for name in ("stock", "page", "pageless")]
    sizes = [needed(monkeypatch, *kernels[:count]) for count in range(4)]
    base, first, second, third = sizes
    assert 2000 < third - second == second - first
    # The base's repository is made once, and what goes into an image lies there once.
    assert first - base - (second - first) == (preflight._GIT + preflight._IMAGE) >> 20
    kernels[0].directory.mkdir(parents=True)
    assert needed(monkeypatch, *kernels) == second
    # A debug kernel has more objects, in the tree of the one that is measured.
    assert second < needed(monkeypatch, *kernels, kernel_in(empty, "page", "debug")) < third


def test_one_file_system_is_counted_once_and_each_by_what_goes_there(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = needed(monkeypatch, kernel_in(empty))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        assert os.stat(other).st_dev != os.stat(empty).st_dev
        monkeypatch.setenv("P2PBENCH_CACHE", other)
        apart = needed(monkeypatch, kernel_in(Path(other)))
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(
            shutil,
            "disk_usage",
            lambda path: usage(0, 0, 0 if str(path).startswith(other) else 1 << 40),
        )
        with pytest.raises(BenchError, match=f"{other} is full: .*for the kernel cache") as caught:
            preflight.check_room([kernel_in(Path(other))])
    # Apart, a tree cannot link to the base's objects.
    there = int(str(caught.value).split()[-2])
    assert apart < together < apart + there
    assert apart > together - there > 0


def test_an_unknown_accelerator_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ACCEL", "kvn")
    with pytest.raises(BenchError, match='ACCEL="kvn".*kvm, tcg'):
        accelerators.choose(tmp_path)


def test_a_kvm_that_hangs_costs_seconds_and_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hanging = tmp_path / "qemu-system-x86_64"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ACCEL", raising=False)
    monkeypatch.setattr(accelerators, "_KVM", tmp_path)
    monkeypatch.setattr(accelerators, "_PROBE_S", 0.3)
    chosen = accelerators.choose(tmp_path / "bzImage")
    assert chosen.name == "tcg"
    assert "/dev/kvm is there, but a guest under it hung" in chosen.reason
    hanging.unlink()
    assert accelerators.choose(tmp_path / "bzImage") == chosen


def limited(monkeypatch: pytest.MonkeyPatch, size: int, source: str = "this machine has") -> None:
    """Let a process have so many bytes of memory here."""
    monkeypatch.setattr(
        limits,
        "memory",
        lambda: [limits.Limit(64 * GIB, "this machine has"), limits.Limit(size, source)],
    )


def test_guests_that_are_larger_than_the_machine_say_what_to_leave_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limited(monkeypatch, 8 * GIB)
    guests = {"bar": 1 * GIB, "memory-256g": 6 * GIB}
    preflight.check_memory(guests)
    with pytest.raises(
        BenchError,
        match="memory-512g needs a guest of 11264 MiB and 384 MiB "
        "beside it, this machine has 8192 MiB; leave it out with "
        "PYTEST_ARGS=\"-k 'not memory-512g'\"",
    ):
        preflight.check_memory(guests | {"memory-512g": 11 * GIB})
    limited(monkeypatch, 2 * GIB)
    with pytest.raises(BenchError, match="-k 'not memory-256g and not memory-512g'"):
        preflight.check_memory(guests | {"memory-512g": 11 * GIB})


def test_a_limit_in_which_no_guest_fits_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 300 << 20, "/sys/fs/cgroup/a/memory.max allows")
    with pytest.raises(
        BenchError,
        match="bar needs a guest of 1024 MiB and 384 MiB beside it, "
        "/sys/fs/cgroup/a/memory.max allows 300 MiB; give it more memory",
    ):
        preflight.check_memory({"bar": GIB})


def test_guests_that_run_at_once_need_memory_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 2 * GIB)
    preflight.check_memory({"bar": GIB})
    with pytest.raises(BenchError, match="guest of 1024 MiB each, 2 at once, and 384 MiB"):
        preflight.check_memory({"bar": GIB}, at_once=2)


def test_so_many_guests_run_at_once_as_the_least_limit_has_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for size, most, fit in (
        (64 * GIB, 8, 8),
        (4 * GIB, 8, 3),
        (2 * GIB, 8, 1),
        (GIB, 2, 1),
        (4 * GIB, 2, 2),
        (4 * GIB, 1, 1),
    ):
        limited(monkeypatch, size)
        assert preflight.guests_at_once(GIB, most) == fit


@pytest.mark.parametrize(
    "path",
    [
        "/mnt/my cache",
        "/mnt/a:b",
        "/mnt/a,b",
        "/mnt/it's",
        "/mnt/a=b",
        "/mnt/$a",
        "/mnt/a#b",
        "/mnt/50%",
        "/mnt/a\nb",
        "/mnt/a;b",
    ],
)
def test_a_cache_where_nothing_can_be_built_is_refused(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("P2PBENCH_CACHE", path)
    with pytest.raises(BenchError, match="the kernel cache is in .* take no .*set P2PBENCH_CACHE"):
        preflight.check([])
    monkeypatch.delenv("P2PBENCH_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", path)
    with pytest.raises(BenchError, match="the kernel cache is in "):
        preflight.check_build([])


def test_a_relative_xdg_directory_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("P2PBENCH_CACHE", raising=False)
    monkeypatch.setenv("HOME", "/home/größe-1_a.b+c@d")
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert paths.cache_dir() == Path("/home/größe-1_a.b+c@d/.cache/p2pbench")
    paths.check_paths()
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert paths.cache_dir() == Path("/var/cache/p2pbench")


def test_an_older_python_is_refused_in_words_that_it_can_read() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.version_info = (3, 9, 2)\nimport p2pbench"],
        cwd=ROOT / "bench",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: Python 3.11 or newer is needed, ")
    assert done.stderr.count("\n") == 1 and " is 3.9; " in done.stderr
    ast.parse((ROOT / "bench" / "p2pbench" / "__init__.py").read_text(), feature_version=(3, 4))


def test_a_user_without_a_home_is_told_to_set_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_number: int) -> None:
        raise KeyError

    for name in ("HOME", "P2PBENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(BenchError, match="no home directory for this user: set HOME"):
        paths.check_paths()


def test_without_home_the_users_entry_says_where_ccache_keeps_its_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HOME", "CCACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _number: SimpleNamespace(pw_dir="/home/somebody"))
    assert preflight._ccache_dir() == Path("/home/somebody/.cache/ccache")


def test_a_limit_of_files_in_which_no_disk_fits_is_named() -> None:
    code = "from p2pbench.testbed import preflight; preflight.check_file_size(256 << 20)"
    for size, status in (("1024", 1), (f"{256 << 10}", 0), ("unlimited", 0)):
        done = subprocess.run(
            ["bash", "-c", f"ulimit -f {size}; exec {sys.executable} -c '{code}'"],
            cwd=ROOT / "bench",
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stderr
        assert (
            not status
            or "`ulimit -f` allows files of 1 MiB, a guest's disk or BAR is one of "
            "256 MiB" in done.stderr
        )


def test_a_cache_that_cannot_be_reached_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = os.stat

    def closed(path: Path, **options: bool) -> os.stat_result:
        if Path(path).name == "base":
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    (tmp_path / "file").touch()
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(BenchError, match="cannot reach the cache .*/cache: Not a directory; set"):
        paths.check_paths()
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path / "cache"))
    paths.check_paths()
    with monkeypatch.context() as patched, pytest.raises(BenchError) as caught:
        patched.setattr(os, "stat", closed)
        paths.check_paths()
    assert "/cache: Permission denied; set P2PBENCH_CACHE" in str(caught.value)

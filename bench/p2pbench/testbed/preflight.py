# SPDX-License-Identifier: GPL-2.0
"""What must be there before anything is built: each missing thing is one clear line.

`p2pbench preflight python test ...` checks what each target needs before it runs.
"""

import importlib.util
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from p2pbench.base.errors import BenchError
from p2pbench.base.paths import BUILD, RESULTS, cache_dir, check_paths, home, shown
from p2pbench.base.program import environment, find_tool, run
from p2pbench.linux.kernel import Kernel
from p2pbench.linux.tree import base_tarball, have_base, tree_dir
from p2pbench.linux.variants import read_base, releases
from p2pbench.testbed import limits
from p2pbench.testbed.initramfs import TOOLS

# By what they are for, as the groups of bench/deps.sh.
_PROGRAMS = {
    "build": ("make", "gcc", "ld", "flex", "bison", "bc", "cpio", "xz", "git", "tar"),
    "guest": ("qemu-system-x86_64", "busybox", *TOOLS, "ldd", "setpriv"),
    "test": ("sparse", "shellcheck", "chromium", "chromedriver"),
    "series-check": ("sparse", "aarch64-linux-gnu-gcc"),
}
_HEADERS = {
    "build": {"gelf.h": "libelf", "openssl/opensslv.h": "OpenSSL"},
    "guest": {"jansson.h": "jansson"},
}
_MODULES = {
    "python": (
        "pytest",
        "pytest_subtests",
        "scipy",
        "jinja2",
        "jsonschema",
        "fastjsonschema",
        "rich",
        "matplotlib",
    ),
    "test": ("pytest_timeout", "xdist", "mypy", "selenium"),
}
_DEVICES = (
    "nvme",
    "nvme-ns",
    "ivshmem-plain",
    "pcie-root-port",
    "x3130-upstream",
    "xio3130-downstream",
    "vmxnet3",
    "virtserialport",
    "virtio-rng-pci",
)

# What building one kernel leaves, measured with gcc 12: the checked out sources, the git objects
# below them (links to the base's repository, if that is on the same file system), what is built of
# them by flavour, what is kept of it, the guest image with a module for it (and, while it is made,
# what goes into it), and what ccache keeps.
_TREE = 1600 << 20
_GIT = 560 << 20
_OBJECTS = {"bench": 320 << 20, "debug": 1000 << 20}
_FINISHED = 90 << 20
_IMAGE = 96 << 20
_CCACHE = 80 << 20
_BESIDE = 256 << 20


def _missing_programs(groups: Iterable[str]) -> list[str]:
    missing = []
    for name in (name for group in groups for name in _PROGRAMS.get(group, ())):
        try:
            find_tool(name)
        except BenchError:
            missing.append(name)
    return missing


def _missing_headers(groups: Iterable[str]) -> list[str]:
    headers = {
        name: library for group in groups for name, library in _HEADERS.get(group, {}).items()
    }
    return [
        f"the headers of {library}"
        for name, library in headers.items()
        if run("gcc", "-E", "-include", name, "-x", "c", os.devnull).returncode
    ]


def _missing_modules(groups: Iterable[str]) -> list[str]:
    return [
        f"Python's {name}"
        for group in groups
        for name in _MODULES.get(group, ())
        if not importlib.util.find_spec(name)
    ]


def check_tools(groups: Iterable[str]) -> None:
    """Raise BenchError that names each program, header and module of these groups that is missing.

    Groups are those of bench/deps.sh: python, build, guest, test, series-check.
    """
    groups = tuple(groups)
    missing = _missing_programs(groups) + _missing_modules(groups)
    if not missing:  # without a compiler there is no telling
        missing = _missing_headers(groups)
    if missing:
        raise BenchError(
            f"not found: {', '.join(missing)}; run `make deps`, or where packages "
            "have other names than Debian's, install what brings them"
        )


def _missing_devices() -> list[str]:
    listed = run("qemu-system-x86_64", "-device", "help").stdout
    return [name for name in _DEVICES if f'name "{name}"' not in listed]


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def check_memory(guests: Mapping[str, int], at_once: int = 1) -> None:
    """Raise BenchError when guests (name: bytes of memory) do not fit here, so many at once."""
    limit = min(limits.memory(), key=lambda limit: limit.room(at_once))
    large = {name: size for name, size in guests.items() if size > limit.room(at_once)}
    if not large:
        return
    name = max(large, key=lambda name: large[name])
    several = f" each, {at_once} at once," if at_once > 1 else ""
    cure = "give it more memory"
    if len(large) < len(guests):
        cure = "leave it out with PYTEST_ARGS=\"-k 'not " + " and not ".join(large) + "'\""
    raise BenchError(
        f"{name} needs a guest of {large[name] >> 20} MiB{several} and "
        f"{limit.beside >> 20} MiB beside it, {limit.source} {limit.size >> 20} MiB; "
        f"{cure}"
    )


def check_file_size(size: int) -> None:
    """Raise BenchError when a file of so many bytes, a guest's disk or BAR, cannot be made."""
    limit = limits.file_size()
    if limit is not None and limit < size:
        raise BenchError(
            f"`ulimit -f` allows files of {limit >> 20} MiB, a guest's disk or BAR is "
            f"one of {size >> 20} MiB; run `ulimit -f unlimited` before"
        )


def guests_at_once(memory: int, most: int) -> int:
    """Return how many guests with so many bytes of memory fit here at once: from 1 to most."""

    def fit(at_once: int) -> bool:
        return all(memory <= limit.room(at_once) for limit in limits.memory())

    return max((at_once for at_once in range(1, most + 1) if fit(at_once)), default=1)


def _ccache_dir() -> Path:
    return Path(environment().get("CCACHE_DIR") or home() / ".cache" / "ccache")


def _device(path: Path) -> int:
    """Return the number of the file system that a path is or will be on."""
    return _existing(path).stat().st_dev


def _needed(kernels: Iterable[Kernel], trees: int) -> list[tuple[Path, int, str]]:
    """Return what will be written: where to, how many bytes, and what it is."""
    a_tree = _TREE + (_GIT if _device(cache_dir()) != _device(BUILD) else 0)
    writes = [(BUILD, _BESIDE + trees * a_tree, "the build"), (RESULTS, _BESIDE, "a run's results")]
    to_build = [kernel for kernel in kernels if not kernel.directory.is_dir()]
    bases = {kernel.variant.release for kernel in to_build if not kernel.variant.own}
    bases |= set(releases()[:trees])
    for release in bases:
        if not have_base(read_base(release)):
            writes.append((cache_dir(), _GIT, "the kernel cache"))
    for variant in {kernel.variant for kernel in to_build}:
        if not tree_dir(variant).is_dir():
            writes.append((BUILD, _TREE + _GIT if variant.own else a_tree, "the build"))
    if to_build:
        writes.append((cache_dir(), _IMAGE, "the kernel cache"))
    for kernel in to_build:
        writes.append((cache_dir(), _FINISHED + _IMAGE, "the kernel cache"))
        writes.append((_ccache_dir(), _CCACHE, "ccache"))
        if not (tree_dir(kernel.variant) / f"obj-{kernel.flavour}").is_dir():
            writes.append((BUILD, _OBJECTS[kernel.flavour], "the build"))
    return writes


def check_room(kernels: Iterable[Kernel], trees: int = 0) -> None:
    """Raise BenchError if what building these kernels and a run write has no room.

    trees are further source trees in build/. What goes to one file system is one sum.
    """
    needed: dict[int, int] = defaultdict(int)
    what: dict[int, dict[str, Path]] = defaultdict(dict)
    for path, size, name in _needed(kernels, trees):
        directory = _existing(path)
        if not os.access(directory, os.W_OK):
            raise BenchError(f"{shown(directory)} cannot be written to; {name} goes there")
        device = _device(path)
        needed[device] += size
        what[device][name] = directory
    for device, size in needed.items():
        directory = next(iter(what[device].values()))
        free = shutil.disk_usage(directory).free
        if free < size:
            raise BenchError(
                f"the disk of {shown(directory)} is full: {free >> 20} MiB free, for "
                f"{' and '.join(what[device])} it needs {size >> 20} MiB"
            )


def check_build(kernels: Iterable[Kernel], trees: int = 0) -> None:
    """Raise BenchError for the first thing that would stop the build of these kernels and trees."""
    check_paths()
    check_tools(("build",))
    check_room(kernels, trees)


def check(kernels: Iterable[Kernel]) -> None:
    """Raise BenchError for the first thing that would stop a run of these kernels, built or not."""
    check_build(kernels)
    check_tools(("guest",))
    devices = _missing_devices()
    if devices:
        raise BenchError(
            f"{find_tool('qemu-system-x86_64')} has no device {', '.join(devices)}; "
            "Debian's qemu-system-x86 has"
        )


def check_groups(groups: Sequence[str]) -> None:
    """Raise BenchError if the paths, the tools of these groups, or with "source" the source of
    every base are missing: a run needs one, and says so when it needs another.
    """
    check_paths()
    check_tools(groups)
    missing = []
    for release in releases() if "source" in groups else ():
        try:
            base_tarball(read_base(release))
        except BenchError as error:
            missing.append(error)
    if missing and len(missing) == len(releases()):
        raise missing[0]

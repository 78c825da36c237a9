"""What must be there before anything is built: each missing thing is one clear line."""

import os
import shutil
from pathlib import Path

from .errors import BenchError
from .image import TOOLS
from .paths import BUILD, RESULTS, cache_dir, shown
from .program import find_tool, run

_PROGRAMS = ("qemu-system-x86_64", "busybox", *TOOLS, "make", "gcc", "flex", "bison", "bc", "cpio",
             "git", "ldd", "setpriv")
_DEVICES = ("nvme", "nvme-ns", "ivshmem-plain", "pcie-root-port", "x3130-upstream",
            "xio3130-downstream", "e1000e", "virtserialport", "virtio-rng-pci")
# A kernel's tree and objects, its base repository, and the finished build.
_ROOM_TO_BUILD = 4 << 30
_ROOM_TO_RUN = 256 << 20


def _missing_programs() -> list[str]:
    missing = []
    for name in _PROGRAMS:
        try:
            find_tool(name)
        except BenchError:
            missing.append(name)
    return missing


def _missing_devices() -> list[str]:
    done = run("qemu-system-x86_64", "-device", "help")
    return [name for name in _DEVICES if f'name "{name}"' not in done.stdout]


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _check_room(path: Path, needed: int, what: str) -> None:
    parent = _existing(path)
    if not os.access(parent, os.W_OK):
        raise BenchError(f"{shown(parent)} cannot be written to; {what} goes there")
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise BenchError(f"the disk of {shown(parent)} is full: {free >> 20} MiB free, {what} "
                         f"needs {needed >> 20} MiB")


def host_memory() -> int:
    """Return the bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_memory(guest: int, provider: str) -> None:
    """Raise BenchError when the largest guest of a run, that of a provider, does not fit here."""
    if guest > host_memory():
        raise BenchError(f"{provider} needs a guest of {guest >> 20} MiB, this machine has "
                         f"{host_memory() >> 20} MiB; leave it out with "
                         f"PYTEST_ARGS=\"-k 'not {provider}'\"")


def check(builds: bool) -> None:
    """Raise BenchError for the first thing that would stop a run; builds: kernels will be built."""
    missing = _missing_programs()
    if missing:
        raise BenchError(f"not found: {', '.join(missing)}; run `make deps`")
    devices = _missing_devices()
    if devices:
        raise BenchError(f"{find_tool('qemu-system-x86_64')} has no device {', '.join(devices)}; "
                         "Debian's qemu-system-x86 has")
    if builds:
        _check_room(cache_dir(), _ROOM_TO_BUILD, "the kernel cache")
    _check_room(BUILD, _ROOM_TO_BUILD if builds else _ROOM_TO_RUN, "the build")
    _check_room(RESULTS, _ROOM_TO_RUN, "a run's results")

# SPDX-License-Identifier: GPL-2.0
"""Which accelerator QEMU can really use here: /dev/kvm may exist and still hang a guest."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from p2pbench.base.errors import BenchError
from p2pbench.base.paths import cache_dir
from p2pbench.base.program import run, why

_PROBE_S = 8.0
_KVM = Path("/dev/kvm")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Accelerator:
    """QEMU's accelerator and, in words for the report, why it was chosen."""

    name: str
    reason: str

    @property
    def environment_class(self) -> str:
        """The class of environment that results under it belong to."""
        return f"qemu-{self.name}"

    @property
    def option(self) -> str:
        """What QEMU's -accel is given.

        Under TCG one thread runs all vCPUs in turn. With a thread each, QEMU 7.2 can keep the
        translation of an instruction that another vCPU is patching, and now and then a kernel
        dies at boot of a static key's breakpoint that is long gone (8.1 locks the page first).
        Short runs at iodepth 1 are faster with one thread, those at higher ones vary both ways.
        """
        return "tcg,thread=single" if self.name == "tcg" else self.name


# What a matrix gets that requires virtual time, if nobody asks for anything else.
EMULATION = Accelerator("tcg", "virtual time is required")


def asked() -> Accelerator | None:
    """Return what $ACCEL asks for, None if that is empty."""
    name = os.environ.get("ACCEL", "")
    if name not in ("", "kvm", "tcg"):
        raise BenchError(f'ACCEL="{name}": unknown accelerator (kvm, tcg)')
    if name == "kvm" and (lacking := _lacking()):
        raise BenchError(f"ACCEL=kvm: {lacking}")
    return Accelerator(name, "asked for by ACCEL") if name else None


def _lacking() -> str:
    if not _KVM.exists():
        return "there is no /dev/kvm"
    return "" if os.access(_KVM, os.R_OK | os.W_OK) else "/dev/kvm is not accessible to this user"


def choose(bzimage: Path) -> Accelerator:
    """Return kvm when a kernel boots under it within a few seconds, else tcg.

    $ACCEL overrides the probe. The answer is kept until the machine reboots.
    """
    if wanted := asked():
        return wanted
    if lacking := _lacking():
        return Accelerator("tcg", lacking)
    verdict = _remembered(cache_dir() / f"kvm-{_BOOT_ID.read_text().strip()}", bzimage)
    if verdict == "works":
        return Accelerator("kvm", "a kernel booted under /dev/kvm")
    return Accelerator("tcg", f"/dev/kvm is there, but {verdict}")


def _remembered(path: Path, bzimage: Path) -> str:
    """Return the probe's verdict, from the file where it is or by probing now."""
    if path.is_file():
        return path.read_text()
    verdict = _probe(bzimage)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(verdict)
        partial.rename(path)
    except OSError:
        pass  # a cache that cannot be written only means that the next run probes again
    return verdict


def _probe(bzimage: Path) -> str:
    """Boot a kernel without a root: under a working KVM it panics and QEMU ends in about 1 s."""
    try:
        done = run(
            "qemu-system-x86_64",
            "-machine",
            "q35,accel=kvm",
            "-cpu",
            "host",
            "-m",
            "512M",
            "-nodefaults",
            "-display",
            "none",
            "-no-reboot",
            "-serial",
            "stdio",
            "-kernel",
            bzimage,
            "-append",
            "console=ttyS0 panic=-1",
            timeout_s=_PROBE_S,
        )
    except subprocess.TimeoutExpired:
        return f"a guest under it hung (probe ended after {_PROBE_S:.0f} s)"
    if done.returncode == 0 and "Linux version" in done.stdout:
        return "works"
    return f"QEMU cannot use it: {why(done.stderr)}"

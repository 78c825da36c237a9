"""What a result was made from, so that somebody else can make it again."""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from p2pbench.base import repository
from p2pbench.base.program import run
from p2pbench.linux.kernel import Kernel
from p2pbench.testbed.accelerators import Accelerator
from p2pbench.testbed.initramfs import TOOLS, build_image
from p2pbench.testbed.qemu import Shape


def _first_line(*command: str) -> str:
    done = run(*command)
    return ((done.stdout or done.stderr).strip().splitlines() or ["unknown"])[0]


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return "unknown"


def _host() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": _cpu_model(), "cpus": os.cpu_count(), "memory_bytes": memory,
            "kernel": platform.release(), "os": _os_name(), "python": platform.python_version()}


def qemu_version() -> str:
    """Return what QEMU says that it is."""
    return _first_line("qemu-system-x86_64", "--version")


def _tools() -> dict[str, str]:
    versions = {"qemu": qemu_version(),
                "rdma": _first_line("rdma", "-V"),
                "ip": _first_line("ip", "-V")}
    for name in TOOLS:
        versions.setdefault(name, _first_line(name, "--version"))
    return versions


def collect(kernels: Mapping[str, Kernel], defined: Mapping[str, dict[str, str]],
            accelerator: Accelerator, shape: Shape) -> dict[str, Any]:
    """Return the provenance of a run: base, patches, configuration, compiler, host, tools.

    kernels are by variant; of a variant that is defined by the matrix, what defines it is told.
    """
    builds = {name: kernel.provenance() | {"image": build_image(kernel).stem}
              for name, kernel in kernels.items()}
    for name in builds:
        builds[name] |= defined.get(name, {})
    base = next(iter(builds.values()))["base"]
    return {"base": base, "variants": builds, "host": _host(), "tools": _tools(),
            "repository": repository.state(),
            "qemu": {"accelerator": accelerator.name, "why": accelerator.reason,
                     "shape": asdict(shape)}}

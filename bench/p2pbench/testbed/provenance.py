# SPDX-License-Identifier: GPL-2.0
"""What a result was made from, so that somebody else can make it again."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from p2pbench.base import repository
from p2pbench.base.program import run
from p2pbench.linux.kernel import Kernel
from p2pbench.testbed.initramfs import TOOLS
from p2pbench.testbed.testbed import Testbed


def first_line(*command: str) -> str:
    """Return the first line that a program prints, such as its version."""
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
    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "memory_bytes": memory,
        "kernel": platform.release(),
        "os": _os_name(),
        "python": platform.python_version(),
    }


def _tools() -> dict[str, str]:
    versions = {"rdma": first_line("rdma", "-V"), "ip": first_line("ip", "-V")}
    for name in TOOLS:
        versions.setdefault(name, first_line(name, "--version"))
    return versions


def _base(builds: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the package that the run's kernels are built on; user's trees stand for themselves."""
    packaged = [build["base"] for build in builds.values() if "package" in build["base"]]
    return dict(packaged[0]) if packaged else {"package": "git", "version": "trees of the user's"}


def collect(
    kernels: Mapping[str, Kernel], defined: Mapping[str, Mapping[str, Any]], testbed: Testbed
) -> dict[str, Any]:
    """Return the provenance of a run: base, patches, configuration, compiler, host, tools.

    kernels are by variant; of a variant that is defined by the matrix, what defines it is told.
    """
    builds = {
        name: kernel.provenance() | {"image": testbed.image_of(kernel)}
        for name, kernel in kernels.items()
    }
    for name, build in builds.items():
        builds[name] = build | defined.get(name, {}) | {"base": build["base"]}
    return {
        "base": _base(builds),
        "variants": builds,
        "host": _host(),
        "tools": testbed.identity() | _tools(),
        "repository": repository.state(),
        **testbed.provenance(),
    }

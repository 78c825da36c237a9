# SPDX-License-Identifier: GPL-2.0
"""What of two runs may be compared: which parts of their surroundings decide which metric.

    compiler        it makes the code whose instructions are counted and timed
    configuration   so do the options that the kernel was asked for by its fragments; not the
                    finished .config, in which patches and versions of tools stand, too
    parameters      a variant that a matrix defines is a kernel with some on its command line
    QEMU            its devices decide how many interrupts and completions an I/O takes, its CPU
                    which of the kernel's alternatives run, its translator how fast they do and
                    what a string instruction counts (once, or once for each repetition)
    counted by      another instrument, or another interface of QEMU's, counts in another way; the
                    plugin's own bytes differ with each compiler, and do not count. A guest
                    that keeps virtual time is a machine of its own: other interrupts come
    fio             it makes the load that is timed; what is counted, the agent makes
    guest           with other CPUs, memory or devices the same load takes other time; what is
                    counted runs on one CPU in any testbed

Patches are what one compares, and the other tools only set the target up. Where nothing is known
of either run there is nothing to tell them apart; known against unknown is a difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from p2pbench.base import units
from p2pbench.records.kinds import COUNT, FIO, PLUGIN
from p2pbench.records.metrics import METRICS

Provenance = Mapping[str, Any]

UNKNOWN = "unknown"
# Before it was recorded, there was one.
_FIRST_API = 1
_HASH_SHOWN = 8
# The package of a version: "gcc (Debian 12.2.0-14) 12.2.0".
_PACKAGE = re.compile(r" \([^()]*\)")


def differences(metric: str, variant: str, a: Provenance, b: Provenance) -> list[str]:
    """What decides a metric of a variant and differs: "compiler: gcc 12 in A, gcc 14 in B"."""
    listed = []
    for name, read in _DECIDES[METRICS[metric].kind].items():
        sides = read(a, variant) or UNKNOWN, read(b, variant) or UNKNOWN
        if sides[0] != sides[1]:
            left, right = _in_short(*sides)
            listed.append(f"{name}: {left} in A, {right} in B")
    return listed


def _in_short(left: str, right: str) -> tuple[str, str]:
    """Two texts without the names of packages, unless that is where they differ."""
    short = _PACKAGE.sub("", left), _PACKAGE.sub("", right)
    return short if short[0] != short[1] else (left, right)


def _kernel(provenance: Provenance, variant: str) -> Mapping[str, Any]:
    kernel: Mapping[str, Any] = provenance.get("variants", {}).get(variant, {})
    return kernel


def _compiler(provenance: Provenance, variant: str) -> str:
    return str(_kernel(provenance, variant).get("compiler", ""))


def _configuration(provenance: Provenance, variant: str) -> str:
    return ", ".join(
        f"{fragment['file']} {fragment['sha256'][:_HASH_SHOWN]}"
        for fragment in _kernel(provenance, variant).get("fragments", [])
    )


def _parameters(provenance: Provenance, variant: str) -> str:
    return str(_kernel(provenance, variant).get("cmdline", "none"))


def _tool(name: str) -> Callable[[Provenance, str], str]:
    return lambda provenance, variant: str(provenance.get("tools", {}).get(name, ""))


def _instrument(provenance: Provenance, variant: str) -> str:
    instrument = provenance.get("instrument", {})
    name = str(instrument.get("name", ""))
    if name != PLUGIN:
        return name
    icount = instrument.get("icount")
    return f"{name} by QEMU's plugin interface {instrument.get('api', _FIRST_API)}" + (
        f" in virtual time ({icount})" if icount else ""
    )


def _guest(provenance: Provenance, variant: str) -> str:
    shape: Mapping[str, int] = provenance.get("qemu", {}).get("shape", {})
    return ", ".join(
        f"{name} {size if name == 'cpus' else units.amount(size)}"
        for name, size in sorted(shape.items())
    )


_ALWAYS = {
    "compiler": _compiler,
    "configuration": _configuration,
    "kernel parameters": _parameters,
    "QEMU": _tool("qemu"),
}
# By the boots that a metric is of.
_DECIDES: Mapping[str, Mapping[str, Callable[[Provenance, str], str]]] = {
    FIO: _ALWAYS | {"fio": _tool("fio"), "guest": _guest},
    COUNT: _ALWAYS | {"counted by": _instrument},
}

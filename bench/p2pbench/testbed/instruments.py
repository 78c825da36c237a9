# SPDX-License-Identifier: GPL-2.0
"""Instructions by kernel function: by bench/insncount in QEMU, else a sum by perf, or nothing."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2pbench.base import cache
from p2pbench.base.errors import BenchError
from p2pbench.base.paths import BUILD, ROOT, cache_dir
from p2pbench.base.program import run, why
from p2pbench.base.tools import file_sha256, run_make
from p2pbench.linux.symbols import Function, largest_piece
from p2pbench.records.counts import LEAST, LEAST_OTHER, OTHER
from p2pbench.records.kinds import PERF, PLUGIN
from p2pbench.records.virtual_time import ICOUNT
from p2pbench.testbed.accelerators import Accelerator

# The versions of QEMU's interface for plugins that it is built for: a QEMU loads one of them.
APIS = (1, 4)
# It alone tells the disk that there is something to do.
DISK_DRIVER = "drivers/nvme/host/pci.o"
_PROBE_S = 60.0
# What is counted, and is no function of the kernel's image.
USER_SPACE = Function(0, "user space", OTHER, OTHER)
BEHIND = Function(0, "modules and generated code", OTHER, OTHER)

Counts = dict[str, Any]


@dataclass(frozen=True)
class Instrument:
    """What counts: insncount with its file and interface, perf stat, or nothing ("") and why.

    icount is the option of QEMU with which a guest that is counted keeps virtual time, "" where
    there is none; real_time then says why.
    """

    name: str
    plugin: Path | None = None
    reason: str = ""
    api: int = 0
    icount: str = ""
    real_time: str = ""

    @property
    def order(self) -> str:
        """What the agent has to do for it."""
        return {PLUGIN: "marks", PERF: "perf"}.get(self.name, "none")

    def provenance(self) -> dict[str, str | int]:
        """Return what counts, for a result's provenance."""
        record: dict[str, str | int] = {
            "name": self.name,
            "reason": self.reason,
            "sha256": "",
            "icount": self.icount,
            "real_time": self.real_time,
        }
        if self.plugin:
            record |= {"sha256": file_sha256(self.plugin), "api": self.api}
        return record


def choose(accelerator: Accelerator) -> Instrument:
    """Return what can count here. Plugins that QEMU does not load are no error: it is said."""
    if accelerator.name != "tcg":
        return Instrument(PERF, real_time=f"a guest under {accelerator.name} keeps the host's time")
    reasons = []
    for api, plugin in build_plugins().items():
        reason = refusal(plugin)
        if not reason:
            no_icount = refusal(plugin, "-icount", ICOUNT)
            return Instrument(PLUGIN, plugin, "", api, "" if no_icount else ICOUNT, no_icount)
        reasons.append(reason)
    return Instrument("", None, "; ".join(reasons), real_time="QEMU loads no plugin")


def build_plugins() -> dict[int, Path]:
    """Build bench/insncount for each interface and return the plugins, by its version."""
    out = BUILD / "insncount"
    run_make(ROOT / "bench" / "insncount", "bench/insncount", out)
    return {api: _keep(out / f"insncount-{api}.so") for api in APIS}


def _keep(built: Path) -> Path:
    """Copy a plugin to the cache, by its content, so that a run keeps its own; return the copy."""
    kept = cache_dir() / "plugins" / f"{built.stem}-{file_sha256(built)[:16]}.so"
    if not kept.is_file():
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            partial = kept.with_suffix(f".{id(kept)}")
            shutil.copyfile(built, partial)
            partial.rename(kept)
        except OSError as error:
            raise BenchError(f"cannot write to the cache {kept.parent}: {error.strerror}") from None
    cache.use(kept)
    return kept


def refusal(plugin: Path, *options: str) -> str:
    """Say which QEMU does not run with a plugin, and why; an empty string when it does."""
    with tempfile.TemporaryDirectory() as directory:
        functions = Path(directory) / "functions"
        functions.write_text("1000\n")
        try:
            done = run(
                "qemu-system-x86_64",
                "-machine",
                "none",
                "-accel",
                "tcg",
                "-nodefaults",
                "-display",
                "none",
                "-monitor",
                "stdio",
                "-plugin",
                _argument(plugin, functions, Path(directory) / "out"),
                *options,
                stdin="quit\n",
                timeout_s=_PROBE_S,
            )
        except subprocess.TimeoutExpired:
            return f"{_version()} with the plugin did not end within {_PROBE_S:.0f} s"
    if done.returncode == 0:
        return ""
    refused = f"take {' '.join(options)}" if options else f"load {plugin.name}"
    return f"{_version()} does not {refused}: {why(done.stderr)}"


def _version() -> str:
    done = run("qemu-system-x86_64", "--version")
    return (done.stdout.splitlines() or ["QEMU (it does not tell its version)"])[0]


def _argument(plugin: Path, functions: Path, out: Path, sync: tuple[int, int] | None = None) -> str:
    """QEMU's options are separated by commas; one in a value is written twice."""
    parts = [str(plugin), f"functions={functions}", f"out={out}"]
    if sync:
        parts.append(f"sync={sync[0]:x}:{sync[1]:x}")
    return ",".join(part.replace(",", ",,") for part in parts)


class Counter:
    """The counts of one boot: what the plugin writes, read section by section.

    In virtual time the guest stands still after each store to the disk until QEMU has done what
    that asked for, so that its clock does not depend on the host.
    """

    def __init__(
        self, instrument: Instrument, variant: str, functions: Sequence[Function], directory: Path
    ) -> None:
        self.instrument = instrument
        self._sync = largest_piece(functions, DISK_DRIVER) if instrument.icount else None
        self._functions = {function.address: function for function in functions}
        self._list = directory.parent / f"functions-{variant}.txt"
        self._out = directory / "insncount.txt"
        self._read = 0
        self._sections = 0
        if instrument.plugin:
            directory.mkdir(parents=True, exist_ok=True)
            # It appears whole: another boot may be reading the list of the same variant.
            partial = directory / self._list.name
            partial.write_text("".join(f"{address:x}\n" for address in self._functions))
            partial.replace(self._list)
            self._out.unlink(missing_ok=True)

    @property
    def argument(self) -> str:
        """The value of QEMU's -plugin; an empty string without one."""
        plugin = self.instrument.plugin
        return _argument(plugin, self._list, self._out, self._sync) if plugin else ""

    def counts(self, answer: Mapping[str, Any]) -> Counts:
        """Return the counts of a workload, from the agent's answer to its order."""
        ios = int(answer["ios"])
        if self.instrument.plugin:
            return by_function(self._section(), self._functions, ios)
        total = answer["instructions"]
        if total is None:
            return absent(
                self.instrument.name,
                self.instrument.reason or str(answer.get("reason", "nothing was counted")),
            )
        # The whole kernel of the machine, idle or not: the CPU's counters know no functions.
        return {
            "instrument": PERF,
            "ios": ios,
            "per_io": total / ios,
            "subsystems": {},
            "functions": [],
            "reason": "",
        }

    def skip(self) -> None:
        """Pass over what was counted of a workload that failed, if it came to its end mark."""
        if self.instrument.plugin and self._out.exists():
            self._sections += sum(line.startswith("end ") for line in self._new_lines())

    def _new_lines(self) -> list[str]:
        """What the plugin has written since the last time."""
        with self._out.open() as stream:
            stream.seek(self._read)
            lines = stream.read().splitlines()
            self._read = stream.tell()
        return lines

    def _section(self) -> dict[int, int]:
        """Read the section that the last end mark wrote; it is whole before the guest goes on."""
        lines = self._new_lines()
        self._sections += 1
        if (
            len(lines) < 2
            or lines[0] != f"section {self._sections}"
            or lines[-1] != f"end {self._sections}"
        ):
            raise BenchError(
                f"{self._out}: expected section {self._sections} alone and whole, "
                f"got {lines[:1]} to {lines[-1:]}"
            )
        pairs = (line.split() for line in lines[1:-1])
        return {int(address, 16): int(count) for address, count in pairs}


def absent(instrument: str, reason: str) -> Counts:
    """Return the counts of a workload that nothing counted."""
    return {
        "instrument": instrument,
        "ios": 0,
        "per_io": None,
        "subsystems": {},
        "functions": [],
        "reason": reason,
    }


def by_function(section: Mapping[int, int], functions: Mapping[int, Function], ios: int) -> Counts:
    """Return instructions per I/O of the path, by subsystem and by function.

    What belongs to no subsystem is in "other", which is not part of the path; user space and what
    lies behind the kernel's image are in neither, and have a row each. "total" is the sum over all
    of them, of all I/Os.
    """
    subsystems: dict[str, float] = {}
    rows = []
    for address, count in section.items():
        function = functions.get(address, USER_SPACE)
        if function.name == "_end":
            function = BEHIND
        elif function is not USER_SPACE:
            subsystems[function.subsystem] = subsystems.get(function.subsystem, 0.0) + count / ios
        if count / ios >= (LEAST_OTHER if function.subsystem == OTHER else LEAST):
            rows.append(
                {
                    "function": function.name,
                    "object": function.object,
                    "subsystem": function.subsystem,
                    "per_io": round(count / ios, 4),
                }
            )
    rows.sort(key=lambda row: (-float(str(row["per_io"])), str(row["function"])))
    path = sum(value for name, value in subsystems.items() if name != OTHER)
    return {
        "instrument": PLUGIN,
        "ios": ios,
        "per_io": round(path, 4),
        "total": sum(section.values()),
        "subsystems": {name: round(value, 4) for name, value in sorted(subsystems.items())},
        "functions": rows,
        "reason": "",
    }

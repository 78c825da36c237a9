# SPDX-License-Identifier: GPL-2.0
"""A checkout of straw: the harness whole and real, on kernels that are none and guests of straw.

For tests of what is around a measurement: signals, full disks, output that nobody takes. A boot
takes a second. It lies outside of this checkout, whose build/ it must not touch.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from p2pbench.base.paths import ROOT, RUN_BOOTS
from strawqemu import FUNCTION
from support import default_signals

MATRIX = """\
blocks = 3

[[boots]]
variant = "page"
providers = "bar"

[[workloads]]
rw = "randread"
bs = "16k"
runtime = "100ms"
"""
BOOTS = ["b0-page-bar", "b1-page-bar", "b2-page-bar"]
# For a matrix that counts, too, in two boots of each block.
COUNTS = """\

[[counts]]
variants = ["page"]
rw = "randread"
bs = "4k"
ios = 100
"""
_COPIED = ("linux", "bench", "configs", "Makefile", ".gitignore")
_KEY = """\
from p2pbench.linux import kernel, variants
print(kernel.expected(variants.find_variant("page"), "bench").directory)
"""


class Straw:
    """One such checkout, with a cache and a matrix of three boots of its own."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "checkout"
        self.matrix = directory / "three.toml"
        self.programs = directory / "programs"
        self.results = self.root / "results"
        self._cache = directory / "cache"
        self._started: list[subprocess.Popen[str]] = []
        self._make_checkout()
        self.matrix.write_text(MATRIX)
        self.programs.mkdir()
        shutil.copy(ROOT / "tests" / "strawqemu.py", self.programs / "qemu-system-x86_64")
        self.behave({})
        self._make_kernel()

    def behave(self, behaviour: dict[str, Any]) -> None:
        """Say what goes wrong in which boot (strawqemu.py), and hold back those that wait."""
        (self.programs / "behaviour.json").write_text(json.dumps(behaviour))
        (self.programs / "go").unlink(missing_ok=True)
        (self.programs / "orders").unlink(missing_ok=True)

    def go(self) -> None:
        """Let the boots that wait go on."""
        (self.programs / "go").touch()

    def orders(self) -> list[tuple[str, str]]:
        """Return the orders that the guests got since behave(), each with the boot's name."""
        lines = (self.programs / "orders").read_text().splitlines()
        return [(boot, order) for boot, order in map(str.split, lines)]

    def environment(self) -> dict[str, str]:
        """Return the environment in which programs of this checkout run."""
        return os.environ | {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.root / "bench"),
            "P2PBENCH_CACHE": str(self._cache),
            "P2PBENCH_RESULTS": str(self.results),
            "ACCEL": "tcg",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONUTF8": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "200",
        }

    def start(
        self, *args: str, wrapper: str = 'exec "$@"', stdout: Any = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """Start the harness as `make bench` does; wrapper is the shell's line that starts it."""
        command = [sys.executable, *RUN_BOOTS, *args]
        return self.start_program(command, wrapper, stdout)

    def start_program(
        self, command: list[str], wrapper: str = 'exec "$@"', stdout: Any = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """Start a program in this checkout; signals have their default effect on it."""
        process = subprocess.Popen(
            ["sh", "-c", wrapper, "sh", *command],
            cwd=self.root,
            env=self.environment(),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=default_signals,
        )
        self._started.append(process)
        return process

    def end(self) -> None:
        """End what a test that failed has left behind."""
        for process in self._started:
            process.kill()
            process.wait()
        self._started.clear()

    def bench(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run the harness to its end."""
        process = self.start(*args)
        out, err = process.communicate()
        return subprocess.CompletedProcess(args, process.returncode, out, err)

    def runs(self) -> list[Path]:
        """Return the directories of the runs that there are, by name."""
        return sorted(path for path in self.results.iterdir() if (path / "journal.jsonl").is_file())

    def cases(self) -> dict[str, str]:
        """Return what the run's JUnit says of each test case: "", or the outcome that it has."""
        (run,) = self.runs()
        suites = ElementTree.parse(run / "junit.xml").getroot()
        outcomes = ("error", "failure", "skipped")
        return {
            case.get("name", ""): next((child.tag for child in case if child.tag in outcomes), "")
            for case in suites.iter("testcase")
        }

    def _make_checkout(self) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "-c", "-o", "--exclude-standard", *_COPIED],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in listed.stdout.splitlines():
            if (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.root / name)

    def _make_kernel(self) -> None:
        """Put a kernel into the cache that has all but a kernel in it."""
        done = subprocess.run(
            [sys.executable, "-c", _KEY],
            env=self.environment(),
            text=True,
            cwd=self.root,
            capture_output=True,
            check=True,
        )
        kernel = Path(done.stdout.splitlines()[-1])
        (kernel / "devel").mkdir(parents=True)
        (kernel / "bzImage").write_text("straw")
        (kernel / "devel" / "Makefile").write_text("modules:\n\techo straw >$(M)/p2p_provider.ko\n")
        (kernel / "System.map").write_text(f"{FUNCTION} t nvme_queue_rq\nffffffff81000100 T _end\n")
        (kernel / "objects.map").write_text(f"{FUNCTION} 100 drivers/nvme/host/pci.o\n")
        (kernel / "static.json").write_text(json.dumps({"structs": {}, "series": []}))
        (kernel / "build.json").write_text(
            json.dumps(
                {
                    "base": {"package": "linux-source-6.1", "version": "straw", "sha256": "straw"},
                    "variant": "page",
                    "flavour": "bench",
                    "compiler": "straw",
                    "patches": [],
                    "fragments": [],
                    "key": kernel.name.rpartition("-")[2],
                    "bzimage_sha256": hashlib.sha256(b"straw").hexdigest(),
                }
            )
        )

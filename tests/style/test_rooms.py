# SPDX-License-Identifier: GPL-2.0
"""The packages of bench/p2pbench are floors: imports point down, and the map shows every module."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from p2pbench.base.paths import ROOT

# From the ground up. What makes the data stands above what reads it, and is not known there.
FLOORS = ("base", "records", "analysis", "report", "linux", "plan", "testbed", "measure")
HOUSE = ROOT / "bench" / "p2pbench"
MODULES = [path for path in HOUSE.rglob("*.py") if path.parent != HOUSE]


def imports_of(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def test_no_import_points_up() -> None:
    upwards = []
    for path in MODULES:
        below = FLOORS[: FLOORS.index(path.relative_to(HOUSE).parts[0]) + 1]
        for name in imports_of(path):
            package, _, rest = name.partition(".")
            if package in ("p2pbench", "") and rest.split(".")[0] not in below:
                upwards.append(f"{path.relative_to(HOUSE)} imports {name}")
    assert upwards == []


def test_reading_a_journal_loads_no_kernel_builder_and_no_machine() -> None:
    readers = [
        ".".join(path.relative_to(HOUSE.parent).with_suffix("").parts)
        for path in MODULES
        if path.relative_to(HOUSE).parts[0] in ("analysis", "report")
    ]
    program = (
        f"import importlib, sys; [importlib.import_module(name) for name in {readers}]; "
        "print(*{name.split('.')[1] for name in sys.modules if name[:9] == 'p2pbench.'})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert set(done.stdout.split()) == {"base", "records", "analysis", "report"}, done.stderr


def test_every_module_stands_on_the_map() -> None:
    on_the_map = set(re.findall(r"\w+", (ROOT / "bench" / "README.md").read_text()))
    assert [path.name for path in MODULES if path.stem not in on_the_map | {"__init__"}] == []

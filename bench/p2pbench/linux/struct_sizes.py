# SPDX-License-Identifier: GPL-2.0
"""What a kernel build tells without being booted: sizes of structures, symbols, patch statistics.

Kept beside the kernel in the cache: static.json, and vmlinux.symbols for bloat-o-meter.
"""

import json
import os
import re
import shlex
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from p2pbench.base import program
from p2pbench.base.errors import BenchError
from p2pbench.linux.probe import read_probe
from p2pbench.linux.tree import git
from p2pbench.linux.variants import Variant

_STRUCT = re.compile(r"^/\* <\w+> (\S+):\d+ \*/\nstruct (\w+) \{\n(?:.*\n)*?\}", re.M)
_SIZE = re.compile(r"^\t/\* size: (\d+),", re.M)


def keep(
    variant: Variant, tree: Path, objects: Path, target: Path, extra: Mapping[str, str]
) -> None:
    """Write static.json and vmlinux.symbols of a finished build into a directory.

    extra are the variables of the build's environment.
    """
    structs: dict[str, dict[str, Any]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for part in pool.map(
            lambda unit: _structs(objects, unit, target, extra), read_probe(variant.release).units
        ):
            structs |= part
    (target / "static.json").write_text(
        json.dumps({"structs": structs, "series": _series(variant, tree)}, indent=1, sort_keys=True)
    )
    # Sections without contents keep their symbols; what is left is mostly holes.
    symbols = target / "vmlinux.symbols"
    _run("objcopy", "--only-keep-debug", str(objects / "vmlinux"), str(symbols))
    _run("fallocate", "--dig-holes", str(symbols))


def _structs(
    objects: Path, unit: str, scratch: Path, extra: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return {name: {"file", "bytes"}} of one object, compiled once more with debug information.

    The measured kernel has none. The command is the build's own, so options and layout are too.
    """
    with_types = scratch / f"{unit.replace('/', '-')}.o"
    command = f"{_compile_command(objects, unit)} -g -o {shlex.quote(str(with_types))}"
    try:
        _run("sh", "-c", command, cwd=objects, extra=extra)
        return parse(_run("pahole", "-I", str(with_types)))
    finally:
        with_types.unlink(missing_ok=True)


def _compile_command(objects: Path, unit: str) -> str:
    """Return how the build compiled an object, without where it went and its dependencies."""
    file = objects / f"{unit}.o"
    record = file.with_name(f".{file.name}.cmd")
    found = re.search(
        r"^(?:saved)?cmd_\S+ := (.*? -c) -o \S+ (\S+\.c)\s*(?:;|$)", record.read_text(), re.M
    )
    if not found:
        raise BenchError(f"{record}: expected the command that compiled {unit}.o, found none")
    return re.sub(r" -Wp,-MMD,\S+", "", found[1]) + " " + found[2]


def parse(text: str) -> dict[str, dict[str, Any]]:
    """Return the structures that `pahole -I` printed: where each is declared, and its bytes."""
    found = {}
    for match in _STRUCT.finditer(text):
        size = _SIZE.search(match[0])
        if size:
            found[match[2]] = {
                "file": os.path.normpath(match[1]).removeprefix("../"),
                "bytes": int(size[1]),
            }
    return found


def _series(variant: Variant, tree: Path) -> list[dict[str, Any]]:
    """Return what each series changes: as a whole, as a cover letter does, and patch by patch."""
    rows = []
    lower = "base"
    for name in variant.series:
        upper, patches = f"p2pbench/{name}", variant.patches_of(name)
        whole = _numstat(git(tree, "diff", "--numstat", "--no-renames", lower, upper).stdout)
        single = _numstat(git(tree, "apply", "--numstat", *map(str, patches)).stdout)
        rows.append(
            {
                "name": name,
                "patches": len(patches),
                **whole,
                "patch_insertions": single["insertions"],
                "patch_deletions": single["deletions"],
            }
        )
        lower = upper
    return rows


def _numstat(text: str) -> dict[str, int]:
    lines = [line.split("\t") for line in text.splitlines()]
    return {
        "files": len({line[2] for line in lines}),
        "insertions": sum(int(line[0]) for line in lines),
        "deletions": sum(int(line[1]) for line in lines),
    }


def _run(*command: str, cwd: Path | None = None, extra: Mapping[str, str] | None = None) -> str:
    done = program.run(*command, cwd=cwd, extra=extra)
    if done.returncode:
        raise BenchError(
            f"{command[0]} failed with exit status {done.returncode}: "
            f"{program.why(done.stderr)}"
        )
    return done.stdout

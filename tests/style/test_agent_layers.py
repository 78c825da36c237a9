# SPDX-License-Identifier: GPL-2.0
"""The agent's folders stand on each other, and no two of its files include each other."""

import re
from graphlib import TopologicalSorter

from p2pbench.base.paths import ROOT

AGENT = ROOT / "bench/agent"
# Each includes only itself and those before it; "." is serve.c and main.c.
FOLDERS = ("lib", "machine", "setup", "work", ".")


def includes() -> dict[str, set[str]]:
    """What each part includes; a part is a .c file and its header, "lib/args"."""
    parts: dict[str, set[str]] = {}
    for folder in FOLDERS:
        for path in (AGENT / folder).glob("*.[ch]"):
            part = str(path.with_suffix("").relative_to(AGENT))
            names = re.findall(r'^#include "(.+)\.h"$', path.read_text(), re.M)
            parts.setdefault(part, set()).update(set(names) - {part})
    return parts


def floor(part: str) -> int:
    folder = part.partition("/")[0] if "/" in part else "."
    return FOLDERS.index(folder)


def test_a_folder_of_the_agent_includes_only_those_below_it() -> None:
    parts = includes()
    assert {floor(part) for part in parts} == set(range(len(FOLDERS)))
    up = [
        f"{part} includes {name}"
        for part, names in parts.items()
        for name in names
        if floor(name) > floor(part)
    ]
    assert up == []


def test_no_files_of_the_agent_include_each_other_in_a_circle() -> None:
    TopologicalSorter(includes()).prepare()

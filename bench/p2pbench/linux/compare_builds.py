# SPDX-License-Identifier: GPL-2.0
"""What the series changes without being run: structure sizes, code by function, its own size.

collect() looks at the kernels of a run when it begins; the run's header keeps the result.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from p2pbench.base.errors import BenchError
from p2pbench.base.paths import shown
from p2pbench.base.program import run, why
from p2pbench.linux.kernel import Kernel
from p2pbench.linux.probe import read_probe
from p2pbench.linux.variants import Variant, read_variants

# The diffstat in the cover letter of "Removing struct page from P2PDMA", June 2019, on v5.2-rc5.
RFC = {
    "name": "rfc",
    "patches": 28,
    "files": 24,
    "insertions": 648,
    "deletions": 364,
    "source": "the diffstat in the RFC's cover letter, June 2019, on v5.2-rc5",
}
_ROW = re.compile(r"^(\S+)\s+(\d+|-)\s+(\d+|-)\s+([+-]\d+)$")
_COUNTS = re.compile(
    r"^add/remove: (\d+)/(\d+) grow/shrink: \d+/\d+ up/down: -?\d+/-?\d+ " r"\((-?\d+)\)$", re.M
)


def collect(kernels: Iterable[Kernel]) -> dict[str, Any]:
    """Return the section for the kernels of a run, in the order of variants.toml.

    Those of a user's trees come last.
    """
    places = {name: place for place, name in enumerate(read_variants())}
    mine = sorted(
        kernels,
        key=lambda kernel: (
            places.get(kernel.variant.name.split("@")[0], len(places)),
            kernel.variant.name,
        ),
    )
    kept = {kernel.variant.name: _kept(kernel) for kernel in mine}
    return {
        "structs": _structs(
            {name: one["structs"] for name, one in kept.items()},
            _shown(kernel.variant.release for kernel in mine),
        ),
        "code": [_code(old, new) for old, new in _pairs(mine)],
        "series": _series([row for one in kept.values() for row in one["series"]]),
    }


def _kept(kernel: Kernel) -> dict[str, Any]:
    path = kernel.directory / "static.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BenchError(
            f"{path}: expected what the build kept of its structures, got {error}; "
            f"remove {kernel.directory} and it is built again"
        ) from None
    return content


def _shown(bases: Iterable[str]) -> list[str]:
    """Return the structures that the bases of a run show, in their order."""
    return list(dict.fromkeys(name for release in bases for name in read_probe(release).structs))


def _structs(
    kept: Mapping[str, Mapping[str, Any]], shown_first: Sequence[str]
) -> list[dict[str, Any]]:
    """Return these structures, then those that differ; a variant without one is left out.

    The order is that of shown_first. Where a structure moved, its file is that of the last variant.
    """
    names = dict.fromkeys(name for structs in kept.values() for name in structs)
    wanted = [name for name in shown_first if name in names]
    wanted += sorted(
        name
        for name in names
        if name not in shown_first
        and len({structs[name]["bytes"] for structs in kept.values() if name in structs}) > 1
    )
    rows = []
    for name in wanted:
        having = {variant: structs[name] for variant, structs in kept.items() if name in structs}
        rows.append(
            {
                "name": name,
                "file": list(having.values())[-1]["file"],
                "bytes": {variant: one["bytes"] for variant, one in having.items()},
            }
        )
    return rows


def _pairs(kernels: Sequence[Kernel]) -> list[tuple[Kernel, Kernel]]:
    """Return each kernel behind the one that has most of its series, without having more."""
    pairs = []
    for new in kernels:
        lower = [old for old in kernels if _is_below(old.variant, new.variant)]
        if lower:
            pairs.append((max(lower, key=lambda old: len(old.variant.series)), new))
    return pairs


def _is_below(old: Variant, new: Variant) -> bool:
    """Say whether a variant is another one less its last series (and has the same options)."""
    count = len(old.series)
    same = (old.release, old.own, old.fragments) == (new.release, new.own, new.fragments)
    below = count < len(new.series) and old.series == new.series[:count]
    return same and below and not old.last


def _code(old: Kernel, new: Kernel) -> dict[str, Any]:
    """Return what the kernel's own bloat-o-meter says of two kernels' functions."""
    script = old.devel / "scripts" / "bloat-o-meter"
    files = [str(kernel.directory / "vmlinux.symbols") for kernel in (old, new)]
    done = run(sys.executable, script, "-t", *files)
    counts = _COUNTS.search(done.stdout)
    if done.returncode or not counts:
        raise BenchError(
            f"{shown(script)} of {old.variant.name} and {new.variant.name} failed: "
            f"{why(done.stderr or done.stdout)}"
        )
    return {
        "from": old.variant.name,
        "to": new.variant.name,
        "added": int(counts[1]),
        "removed": int(counts[2]),
        "net_bytes": int(counts[3]),
        "functions": bloat(done.stdout),
    }


def bloat(text: str) -> list[dict[str, Any]]:
    """Return the functions that bloat-o-meter listed, the largest difference first.

    One that only one of the kernels has is 0 bytes in the other.
    """
    rows = [row for row in map(_ROW.match, text.splitlines()) if row]
    functions = [
        {
            "function": row[1],
            "old": int(row[2].replace("-", "0")),
            "new": int(row[3].replace("-", "0")),
            "difference": int(row[4]),
        }
        for row in rows
    ]
    return sorted(functions, key=lambda one: (-abs(int(one["difference"])), one["function"]))


def _series(kept: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each series once, counted as the RFC's cover letter does, and the RFC beside them."""
    rows = {row["name"]: {**row, "source": "git diff --numstat over the series"} for row in kept}
    return [*rows.values(), dict(RFC)]

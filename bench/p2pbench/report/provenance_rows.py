# SPDX-License-Identifier: GPL-2.0
"""Provenance for reading: what two runs could differ in as short rows, the patches in a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from p2pbench.base import units

_HASH_SHOWN = 16
_LISTED = ("patches", "fragments")
# Bytes, on the host and in the shape of a guest.
_SIZES = ("memory_bytes", "memory", "disk", "cmb", "bar")


def rows(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Dotted names and their values; of patches and fragments only how many."""
    return _flat(_condensed(provenance))


def every(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Dotted names and their values, all of them; a patch by its name and digest."""
    found = [row for row in rows(provenance) if not row[1].endswith("(listed below)")]
    for variant, lines in patches(provenance).items():
        listed = (line.split("  ", 1) for line in lines)
        found += [(f"variants.{variant}.{file}", digest) for digest, file in listed]
    return found


def patches(provenance: Mapping[str, Any]) -> dict[str, list[str]]:
    """The patches and fragments of each variant as lines: digest and name."""
    found = {}
    for name, variant in provenance.get("variants", {}).items():
        listed = [one for key in _LISTED for one in variant.get(key, [])]
        lines = [f"{one['sha256'][:_HASH_SHOWN]}  {one['file']}" for one in listed]
        if lines:
            found[name] = lines
    return found


def _condensed(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Without the symbols, which are a table of the instructions and no provenance."""
    variants = {
        name: {
            key: f"{len(value)} (listed below)" if key in _LISTED and value else value
            for key, value in variant.items()
            if key not in ("base", "variant")
        }
        for name, variant in provenance.get("variants", {}).items()
    }
    rest = {key: value for key, value in provenance.items() if key != "symbols"}
    return {**rest, **({"variants": variants} if variants else {})}


def _flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    """A nested record as rows of dotted name and text; what is empty has none."""
    if isinstance(value, dict):
        return [row for key, one in value.items() for row in _flat(one, f"{name}.{key}".strip("."))]
    if isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value):
        return [row for i, one in enumerate(value, 1) for row in _flat(one, f"{name}.{i}")]
    if isinstance(value, list):
        return [(name, ", ".join(map(str, value)) or "none")]
    if isinstance(value, int) and name.rpartition(".")[2] in _SIZES:
        return [(name.removesuffix("_bytes"), units.amount(value))]
    if value == "":
        return []
    return [(name, "–" if value is None else str(value))]

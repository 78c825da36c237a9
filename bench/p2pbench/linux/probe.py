# SPDX-License-Identifier: GPL-2.0
"""What the tools look for in kernels of a base, by its names: linux/<release>/probe.toml."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2pbench.base.toml_file import LocatedToml, names, text
from p2pbench.linux.variants import base_dir

_OPTION = "CONFIG_"


@dataclass(frozen=True)
class Probe:
    """Names of one base.

    units are objects that know the structures that the series touch, structs those that are shown;
    subsystems has by the beginning of an object's path which one it belongs to, the first that
    fits; gone is what the series pageless removes, sources what an option alone has built.
    """

    units: tuple[str, ...]
    structs: tuple[str, ...]
    subsystems: Mapping[str, str]
    gone: tuple[str, ...]
    sources: Mapping[str, str]


def read_probe(release: str) -> Probe:
    """Read the file of a base. Raises BenchError with file and line for a mistake."""
    return _read(base_dir(release) / "probe.toml")


@functools.lru_cache(maxsize=None)
def _read(path: Path) -> Probe:
    toml = LocatedToml(path)
    parts: dict[str, Any] = {"build": _table, "subsystems": _table, "check": _table}
    data = toml.table((), toml.data, parts, tuple(parts))
    build = toml.table(
        ("build",), data["build"], {"units": names, "structs": names}, ("units", "structs")
    )
    subsystems = toml.table(
        ("subsystems",), data["subsystems"], dict.fromkeys(data["subsystems"], text)
    )
    options = [name for name in data["check"] if name.startswith(_OPTION)]
    check = toml.table(
        ("check",), data["check"], {"gone": names, **dict.fromkeys(options, text)}, ("gone",)
    )
    return Probe(
        units=build["units"],
        structs=build["structs"],
        subsystems=subsystems,
        gone=check["gone"],
        sources={name: check[name] for name in options},
    )


def _table(value: Any) -> Any:
    return value

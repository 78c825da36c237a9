# SPDX-License-Identifier: GPL-2.0
"""configs/testbed/<name>.toml: the sizes of a testbed's machines, and which devices are theirs."""

from pathlib import Path

from p2pbench.base.errors import BenchError
from p2pbench.base.paths import CONFIGS
from p2pbench.base.toml_file import LocatedToml, integer, text
from p2pbench.base.units import size
from p2pbench.testbed.local import Devices
from p2pbench.testbed.machine import Shape

_SIZES = {"memory": size, "cpus": integer(1), "disk": size, "cmb": size, "bar": size}
_LOCAL = {"nvme_serial": text, "netdev": text, "bar_pci": text, "bar_number": integer(0, 5)}


def read_shape(name: str) -> Shape:
    """Return the sizes. Raises BenchError with file and line for a mistake."""
    toml = LocatedToml(_find(name))
    fields = {**_SIZES, "local": lambda value: value}
    values = toml.table((), toml.data, fields, tuple(_SIZES))
    values.pop("local", None)
    return Shape(**values)


def read_devices(name: str) -> Devices | None:
    """Return the devices of its [local], which makes it this machine itself; None without."""
    toml = LocatedToml(_find(name))
    if "local" not in toml.data:
        return None
    values = toml.table(("local",), toml.data["local"], _LOCAL, ("nvme_serial", "netdev"))
    bar = (
        {"pci": values["bar_pci"], "bar": values.get("bar_number", 0), "offset": 0, "size": 0}
        if "bar_pci" in values
        else None
    )
    return Devices(values["nvme_serial"], values["netdev"], bar)


def _find(name: str) -> Path:
    path = CONFIGS / "testbed" / f"{name}.toml"
    if not path.is_file():
        have = ", ".join(sorted(entry.stem for entry in path.parent.glob("*.toml")))
        raise BenchError(f'unknown testbed "{name}" (configs/testbed has: {have})')
    return path

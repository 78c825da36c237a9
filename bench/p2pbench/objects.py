"""Which object file of a kernel build each address of its text comes from, by the linker's map."""

import re
from pathlib import Path

from .errors import BenchError
from .paths import shown

# An input section: its name (on a line of its own when it is long), address, size, object.
_SECTION = re.compile(r"^ (\.[\w.]*text[\w.]*)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S+)$", re.M)


def _member(name: str) -> str:
    """Return the object's own path: "vmlinux.a(block/bio.o)" is block/bio.o."""
    return name[name.index("(") + 1:-1] if name.endswith(")") else name


def compact(path: Path) -> str:
    """Return what a count needs of vmlinux.map: lines of address, size (both hex) and object."""
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise BenchError(f"{shown(path)}: {error.strerror}; the linker writes it when "
                         "CONFIG_VMLINUX_MAP is on (linux/config/base.config)") from None
    lines = []
    for _, address, size, name in _SECTION.findall(text):
        if int(size, 16) and int(address, 16):
            lines.append(f"{int(address, 16):x} {int(size, 16):x} {_member(name)}\n")
    if not lines:
        raise BenchError(f"{shown(path)}: no section with code in it; is it a map of GNU ld?")
    return "".join(sorted(lines))

"""The variants that a matrix defines: kernels of variants.toml, each with parameters of its own.

    [variants.planted-1]
    kernel = "planted"
    cmdline = "nvmet.planted_rounds=466"
"""

import re
from typing import Any

from p2pbench.base.errors import BenchError
from p2pbench.base.toml_file import LocatedToml, Parser, text
from p2pbench.linux.variants import Variant, find_variant, read_variants

# A variant's name is part of names of files.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# The kernel cuts a command line that is longer than 2 KiB, and has others on it, too.
_PARAMETERS = re.compile(r"[!-~]+(?: [!-~]+)*")
_MOST_CHARACTERS = 1024


def read_defined(toml: LocatedToml) -> dict[str, dict[str, str]]:
    """Check the variants that a matrix defines; return "kernel" and "cmdline" by name."""
    entries = toml.data.get("variants", {})
    if not isinstance(entries, dict):
        raise toml.error(("variants",), "write [variants.NAME] and its keys below: each has a name")
    known = read_variants()
    variants = {}
    for name, entry in entries.items():
        key = ("variants", name)
        if not _NAME.fullmatch(name):
            raise toml.error(key, f'variant "{name}": at most 64 letters, digits, - and _ are '
                             "allowed, and a letter or digit first")
        if name in known:
            file = f"linux/{known[name].release}/variants.toml"
            raise toml.error(key, f'variant "{name}": {file} has one of that name; give it another')
        variants[name] = toml.table(key, entry, {"kernel": _kernel, "cmdline": _cmdline},
                                    ("kernel", "cmdline"))
    return variants


def variant_in(toml: LocatedToml) -> Parser:
    """Return a parser of variants' names: those that the matrix defines, and all kernels."""
    defined = toml.data.get("variants", {})

    def parse(value: Any) -> str:
        name = text(value)
        try:
            return name if name in defined else _kernel(name)
        except ValueError as error:
            more = f"; the matrix defines: {', '.join(defined)}" if defined else ""
            raise ValueError(f"{error}{more}") from None
    return parse


def kernel_in(toml: LocatedToml, variant: str) -> Variant:
    """Return the kernel that a variant boots, whose name has been parsed."""
    defined = toml.data.get("variants", {})
    return find_variant(defined[variant]["kernel"] if variant in defined else variant)


def _kernel(value: Any) -> str:
    try:
        variant = find_variant(text(value))
        variant.patches()
    except BenchError as error:
        raise ValueError(str(error)) from None
    return variant.name


def _cmdline(value: Any) -> str:
    parameters = text(value)
    if not _PARAMETERS.fullmatch(parameters) or len(parameters) > _MOST_CHARACTERS:
        raise ValueError(f"found {parameters!r}; kernel parameters are allowed: at most "
                         f"{_MOST_CHARACTERS} characters of printable ASCII, and one blank between "
                         "parameters")
    return parameters

# SPDX-License-Identifier: GPL-2.0
"""The variants that a matrix defines: kernels with parameters of their own, and a user's kernels.

    [variants.planted-1]
    kernel = "planted"
    cmdline = "nvmet.planted_rounds=466"

    [variants.mine]
    tree = "~/src/linux"
    rev = "my-branch"
    series = ["baseline", "pageless"]

A tree's kernel is built with the configuration of a base, and with its names where something of
the kernel is looked for: base = "6.1", needed only where there are several.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from p2pbench.base.errors import BenchError
from p2pbench.base.toml_file import Key, LocatedToml, Parser, names, one_of, text, truth
from p2pbench.linux.own_tree import OwnTree, check_committed, resolve
from p2pbench.linux.variants import (
    Variant,
    find_variant,
    read_variants,
    releases,
    series_names,
    series_patches,
)

# A variant's name is part of names of files.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# It is also that of a branch, beside that of what a series applies to.
_RESERVED = ("base", "HEAD")
# The kernel cuts a command line that is longer than 2 KiB, and has others on it, too.
_PARAMETERS = re.compile(r"[!-~]+(?: [!-~]+)*")
_MOST_CHARACTERS = 1024


def read_defined(toml: LocatedToml) -> dict[str, dict[str, Any]]:
    """Check the variants that a matrix defines, and return them by name.

    One has "kernel" and "cmdline", or "tree", "rev", "commit", "object", "base", "series",
    "rxe_p2p", and perhaps "cmdline". variant_in() and kernel_in() read what this has checked.
    """
    entries = toml.data.get("variants", {})
    if not isinstance(entries, dict):
        raise toml.error(("variants",), "write [variants.NAME] and its keys below: each has a name")
    known = read_variants()
    variants: dict[str, dict[str, Any]] = {}
    for name, entry in entries.items():
        key = ("variants", name)
        if not _NAME.fullmatch(name) or name in _RESERVED:
            raise toml.error(
                key,
                f'variant "{name}": at most 64 letters, digits, - and _ are '
                "allowed, and a letter or digit first",
            )
        if name in known:
            file = f"linux/{known[name].release}/variants.toml"
            raise toml.error(key, f'variant "{name}": {file} has one of that name; give it another')
        if isinstance(entry, dict) and "tree" in entry:
            variants[name] = _own(toml, key, entry)
        else:
            variants[name] = toml.table(
                key,
                entry,
                {"kernel": _kernel, "cmdline": _cmdline},
                ("kernel", "cmdline"),
                _of_a_tree,
            )
    if variants:
        toml.data["variants"] = variants
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
    return variant_of(variant, toml.data.get("variants", {}))


def variant_of(name: str, defined: Mapping[str, Mapping[str, Any]]) -> Variant:
    """Return the kernel of a name; defined are a matrix's variants, as read_defined() has them."""
    entry = defined.get(name, {})
    if "tree" not in entry:
        return find_variant(entry.get("kernel", name))
    own = OwnTree(entry["tree"], entry["rev"], entry["commit"], entry["object"])
    return Variant(name, entry["base"], tuple(entry["series"]), entry["rxe_p2p"], own=own)


def check_revisions(defined: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise BenchError when a revision is no longer what it was when a run began."""
    for name, entry in defined.items():
        if "tree" not in entry:
            continue
        now = resolve(entry["tree"], entry["rev"])
        if now.commit != entry["commit"]:
            raise BenchError(
                f'the run began with another revision of variant "{name}": '
                f"{entry['rev']} of {entry['tree']} was {entry['commit']}, and is "
                f"{now.commit} now; start a new run"
            )


def _own(toml: LocatedToml, key: Key, entry: dict[str, Any]) -> dict[str, Any]:
    """Check a variant that is built from a user's tree, and look at the tree."""
    fields = {
        "tree": _tree_beside(toml.path),
        "rev": text,
        "series": names,
        "base": one_of(*releases()),
        "rxe_p2p": truth,
        "cmdline": _cmdline,
    }
    several = len(releases()) > 1
    parsed = toml.table(key, entry, fields, ("tree", "rev", *["base"] * several))
    base = parsed.setdefault("base", releases()[0])
    series = parsed.setdefault("series", ())
    for name in series:
        if name not in series_names(base):
            raise toml.error(
                (*key, "series"),
                f'series: linux/{base} has no series "{name}" '
                f"({', '.join(series_names(base))})",
            )
    try:
        for name in series:
            series_patches(base, name)
        own = resolve(parsed["tree"], parsed["rev"])
        check_committed(own)
    except BenchError as error:
        raise toml.error((*key, "tree"), str(error)) from None
    parsed.setdefault("rxe_p2p", _teaches_rxe(base, series))
    return parsed | asdict(own) | {"series": list(series)}


def _teaches_rxe(base: str, series: tuple[str, ...]) -> bool:
    """Say whether rxe is a P2P client with these series, as a variant of the base has it."""
    return any(
        variant.rxe_p2p and set(variant.series) <= set(series)
        for variant in read_variants().values()
        if variant.release == base
    )


def _of_a_tree(name: str) -> str:
    """Say what is missing beside a key that only a user's tree has."""
    if name in ("rev", "series", "base", "rxe_p2p"):
        return f'"{name}" goes with "tree", the directory of a git repository '
    return ""


def _tree_beside(matrix: Path) -> Parser:
    """Return a parser of a tree's directory: from the home directory or a root, or the matrix's."""

    def parse(value: Any) -> str:
        given = text(value)
        return given if given.startswith("~") else os.path.normpath(matrix.parent / given)

    return parse


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
        raise ValueError(
            f"found {parameters!r}; kernel parameters are allowed: at most "
            f"{_MOST_CHARACTERS} characters of printable ASCII, and one blank between "
            "parameters"
        )
    return parameters

# SPDX-License-Identifier: GPL-2.0
"""The fork as it is committed: the base package, the variants, and their patches."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from p2pbench.base.errors import BenchError
from p2pbench.base.paths import LINUX, shown
from p2pbench.base.toml_file import LocatedToml, names, text, truth
from p2pbench.linux.own_tree import OwnTree


@dataclass(frozen=True)
class Base:
    """A packaged kernel source that series apply to; linux/<release>/ has all that is of it."""

    release: str
    package: str
    suite: str
    version: str
    tarball: Path
    sha256: str


@dataclass(frozen=True)
class Variant:
    """One kernel: the release of its base, and the names of the series on top of it, in order.

    With an own tree, the series apply to that, and of the base are configuration and names only.
    """

    name: str
    release: str
    series: tuple[str, ...]
    rxe_p2p: bool
    fragments: tuple[str, ...] = ()
    last: str = ""
    own: OwnTree | None = None

    @property
    def base(self) -> Base:
        """The base that it is built on."""
        return read_base(self.release)

    def patches_of(self, name: str) -> list[Path]:
        """Return the patches of one of its series, cut behind `last` if it is the last series."""
        patches = series_patches(self.release, name)
        if not self.last or name != self.series[-1]:
            return patches
        numbers = [patch.name.split("-")[0] for patch in patches]
        if self.last not in numbers:
            directory = shown(series_dir(self.release, name))
            raise BenchError(
                f'variant "{self.name}": {directory} has no patch {self.last} '
                f"({numbers[0]} to {numbers[-1]})"
            )
        return patches[: numbers.index(self.last) + 1]

    def patches(self) -> list[Path]:
        """Return the patch files in the order in which they apply."""
        return [patch for name in self.series for patch in self.patches_of(name)]


def releases() -> list[str]:
    """Return the releases of the bases that there are: the folders of linux/ with a BASE."""
    return sorted(path.parent.name for path in LINUX.glob("*/BASE"))


def base_dir(release: str) -> Path:
    """Return the folder with all that is of a base."""
    return LINUX / release


def read_base(release: str) -> Base:
    """Read linux/<release>/BASE."""
    toml = LocatedToml(base_dir(release) / "BASE")
    fields = {"package": text, "suite": text, "version": text, "tarball": text, "sha256": text}
    data = toml.table((), toml.data, fields, tuple(fields))
    return Base(
        release,
        data["package"],
        data["suite"],
        data["version"],
        Path(data["tarball"]),
        data["sha256"],
    )


def read_variants() -> dict[str, Variant]:
    """Read each linux/<release>/variants.toml: the variants by name, in the files' order."""
    fields = {"series": names, "fragments": names, "rxe_p2p": truth}
    variants: dict[str, Variant] = {}
    for release in releases():
        toml = LocatedToml(base_dir(release) / "variants.toml")
        for name, value in toml.data.items():
            if name in variants:
                raise toml.error(
                    (name,),
                    f'variant "{name}" stands in linux/'
                    f"{variants[name].release}/variants.toml, too",
                )
            entry = toml.table((name,), value, fields, ("series", "rxe_p2p"))
            variants[name] = Variant(
                name, release, entry["series"], entry["rxe_p2p"], entry.get("fragments", ())
            )
    return variants


def find_variant(name: str) -> Variant:
    """Return the variant of that name, or say which there are.

    "pageless@0018" is pageless up to patch 0018 of its last series.
    """
    variants = read_variants()
    whole, _, last = name.partition("@")
    if whole in variants and last and variants[whole].series:
        return replace(variants[whole], name=name, last=last)
    if name not in variants:
        raise BenchError(
            f'unknown variant "{name}" (linux/{"|".join(releases())}/variants.toml '
            f'has: {", ".join(variants)})'
        )
    return variants[name]


def own_as_json(variants: Iterable[Variant]) -> str:
    """Return those of the variants that have a tree of the user's, for own_from_json()."""
    return json.dumps({variant.name: asdict(variant) for variant in variants if variant.own})


def own_from_json(content: str) -> dict[str, Variant]:
    """Return the variants of own_as_json() by name; the tree need not be looked at again."""
    return {
        name: Variant(
            **fields
            | {
                "series": tuple(fields["series"]),
                "fragments": tuple(fields["fragments"]),
                "own": OwnTree(**fields["own"]),
            }
        )
        for name, fields in json.loads(content).items()
    }


def series_names(release: str) -> list[str]:
    """Return the names of the series that there are on a base."""
    return sorted(path.parent.name for path in base_dir(release).glob("*/series"))


def series_dir(release: str, name: str) -> Path:
    """Return the directory of a patch series on a base."""
    return base_dir(release) / name


def series_patches(release: str, name: str) -> list[Path]:
    """Return the patches that the series file of a directory lists, in order."""
    directory = series_dir(release, name)
    index = directory / "series"
    if not index.is_file():
        raise BenchError(f"{shown(index)}: not there; a series directory lists its patches in it")
    patches = [
        directory / line
        for line in index.read_text().split("\n")
        if line and not line.startswith("#")
    ]
    listed = {patch.name for patch in patches}
    for number, patch in enumerate(patches, 1):
        if not patch.is_file():
            raise BenchError(f"{shown(index)}:{number}: no such patch: {patch.name}")
    for patch in sorted(directory.glob("*.patch")):
        if patch.name not in listed:
            raise BenchError(f"{shown(patch)}: not listed in {shown(index)}")
    return patches

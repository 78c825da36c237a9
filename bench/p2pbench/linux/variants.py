"""The fork as it is committed: the base package, the variants, and their patches."""

from dataclasses import dataclass, replace
from pathlib import Path

from p2pbench.base.errors import BenchError
from p2pbench.base.paths import LINUX, shown
from p2pbench.base.toml_file import LocatedToml, names, text, truth

RELEASE = "6.1"


@dataclass(frozen=True)
class Base:
    """The packaged kernel source that every series applies to."""

    package: str
    suite: str
    version: str
    tarball: Path
    sha256: str


@dataclass(frozen=True)
class Variant:
    """One kernel: the base and the names of the series on top of it, in order."""

    name: str
    series: tuple[str, ...]
    rxe_p2p: bool
    fragments: tuple[str, ...] = ()
    last: str = ""

    def patches_of(self, name: str) -> list[Path]:
        """Return the patches of one of its series, cut behind `last` if it is the last series."""
        patches = series_patches(name)
        if not self.last or name != self.series[-1]:
            return patches
        numbers = [patch.name.split("-")[0] for patch in patches]
        if self.last not in numbers:
            raise BenchError(f'variant "{self.name}": {shown(series_dir(name))} has no patch '
                             f"{self.last} ({numbers[0]} to {numbers[-1]})")
        return patches[:numbers.index(self.last) + 1]

    def patches(self) -> list[Path]:
        """Return the patch files in the order in which they apply."""
        return [patch for name in self.series for patch in self.patches_of(name)]


def read_base() -> Base:
    """Read linux/<release>/BASE."""
    toml = LocatedToml(LINUX / RELEASE / "BASE")
    fields = {"package": text, "suite": text, "version": text, "tarball": text, "sha256": text}
    data = toml.table((), toml.data, fields, tuple(fields))
    return Base(data["package"], data["suite"], data["version"], Path(data["tarball"]),
                data["sha256"])


def read_variants() -> dict[str, Variant]:
    """Read linux/<release>/variants.toml: the variants by name, in the file's order."""
    toml = LocatedToml(LINUX / RELEASE / "variants.toml")
    fields = {"series": names, "fragments": names, "rxe_p2p": truth}
    variants = {}
    for name, value in toml.data.items():
        entry = toml.table((name,), value, fields, ("series", "rxe_p2p"))
        variants[name] = Variant(name, entry["series"], entry["rxe_p2p"],
                                 entry.get("fragments", ()))
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
        raise BenchError(f'unknown variant "{name}" (linux/{RELEASE}/variants.toml has: '
                         f'{", ".join(variants)})')
    return variants[name]


def series_dir(name: str) -> Path:
    """Return the directory of a patch series."""
    return LINUX / RELEASE / name


def series_patches(name: str) -> list[Path]:
    """Return the patches that the series file of a directory lists, in order."""
    directory = series_dir(name)
    index = directory / "series"
    if not index.is_file():
        raise BenchError(f"{shown(index)}: not there; a series directory lists its patches in it")
    patches = [directory / line for line in index.read_text().split("\n")
               if line and not line.startswith("#")]
    listed = {patch.name for patch in patches}
    for number, patch in enumerate(patches, 1):
        if not patch.is_file():
            raise BenchError(f"{shown(index)}:{number}: no such patch: {patch.name}")
    for patch in sorted(directory.glob("*.patch")):
        if patch.name not in listed:
            raise BenchError(f"{shown(patch)}: not listed in {shown(index)}")
    return patches

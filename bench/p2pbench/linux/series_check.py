# SPDX-License-Identifier: GPL-2.0
"""Every patch stands alone: it applies, builds without a new warning, and is clean in style."""

import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from p2pbench.base.paths import BUILD, ROOT, RUN_BOOTS, own_environment, shown
from p2pbench.base.program import run
from p2pbench.linux.kernel import BUILD_VARIABLES, asked_options, configure, make_command
from p2pbench.linux.probe import read_probe
from p2pbench.linux.tree import git, make_tree
from p2pbench.linux.variants import Variant

# What checkpatch says without being able to know: a new file needs no new maintainer here, a
# package's source has no history in which to look up the commit that a patch fixes, and the tag
# that names the author of the RFC's patch (Based-on-patch-by) is not in its list.
IGNORED = "FILE_PATH_CHANGES,UNKNOWN_COMMIT_ID,BAD_SIGN_OFF"


@dataclass(frozen=True)
class Config:
    """A configuration of the final tree.

    options come after the bench flavour's; absent are the sources that such a
    kernel leaves out (make would build them when asked by name).
    """

    name: str
    options: str
    absent: tuple[str, ...]
    arch: str = "x86_64"
    cross: str = ""


_IOMMU = "drivers/iommu/"
CONFIGS = (
    Config("no-p2pdma", "# CONFIG_PCI_P2PDMA is not set\n", ()),
    Config("no-zone-device", "# CONFIG_ZONE_DEVICE is not set\n", ("mm/memremap.c",)),
    Config(
        "no-integrity",
        "# CONFIG_BLK_DEV_INTEGRITY is not set\n",
        ("block/bio-integrity.c", "block/blk-integrity.c"),
    ),
    Config("i386", "# CONFIG_64BIT is not set\n", (_IOMMU, "mm/memremap.c"), "i386"),
    Config(
        "arm64",
        "CONFIG_ARM_SMMU_V3=y\n",
        ("drivers/iommu/intel", "drivers/iommu/amd"),
        "arm64",
        "aarch64-linux-gnu-",
    ),
)


def check(variant: Variant, configs: tuple[Config, ...] = CONFIGS) -> list[str]:
    """Check every patch of the variant, then the final tree in the configurations.

    Prints a line for each step; returns the complaints, each naming its patch.
    """
    tree = make_tree(variant)
    work = _worktree(tree)
    commits = git(tree, "rev-list", "--reverse", "base..HEAD").stdout.split()
    sources = [
        name
        for name in git(tree, "diff", "--name-only", "base..HEAD").stdout.split()
        if name.endswith(".c") and "test" not in name
    ]
    patches = variant.patches()
    complaints: list[str] = []
    objects = work / "obj-check"
    configure(work, objects, _options(variant))
    left_out = _left_out(objects, variant)
    enabled = [name for name in sources if name not in left_out]
    git(work, "checkout", "-q", "--detach", "-f", "base")
    known = _warnings(work, objects, enabled)
    complaints += [f"the base itself: {line}" for line in known if _is_error(line)]
    for commit, patch in zip(commits, patches, strict=True):
        git(work, "checkout", "-q", "--detach", "-f", commit)
        warned = _warnings(work, objects, enabled)
        found = [
            f"{shown(patch)}: {line}"
            for line in (*_checkpatch(work, patch), *sorted((warned - known).elements()))
        ]
        known |= warned  # the next patch is not to blame for it
        print(f"{patch.name}: {'ok' if not found else f'{len(found)} complaint(s)'}", flush=True)
        complaints += found
    git(work, "checkout", "-q", "--detach", "-f", "checked")
    complaints += _leftovers(work, variant)
    for config in configs:
        complaints += _check_config(work, variant, config, sources)
    return complaints


def _options(variant: Variant) -> str:
    """The bench flavour's options, and those of the other sources that the series touch."""
    bench = asked_options(replace(variant, fragments=()), "bench")
    return f"{bench}CONFIG_BLK_INLINE_ENCRYPTION=y\n"


def _is_error(line: str) -> bool:
    return "error: " in line or "*** " in line


def _worktree(tree: Path) -> Path:
    """Return a checkout of its own, so that the tree that people work in stays as it is."""
    work = BUILD / "series-check" / tree.name
    if not (work / ".git").is_dir():
        work.parent.mkdir(parents=True, exist_ok=True)
        git(work.parent, "clone", "-q", "--shared", "--no-checkout", str(tree), str(work))
        (work / ".git" / "info" / "exclude").write_text("/obj-*\n")
    git(work, "checkout", "-q", "--detach", check=False)  # an empty clone has no HEAD yet
    git(work, "fetch", "-q", "-f", str(tree), "HEAD:refs/heads/checked", "base:refs/heads/base")
    git(work, "checkout", "-q", "--detach", "-f", "checked")
    return work


def _left_out(objects: Path, variant: Variant) -> tuple[str, ...]:
    """Return the sources that a configured kernel leaves out; make builds them if it is asked."""
    options = (objects / ".config").read_text()
    return tuple(
        source
        for option, source in read_probe(variant.release).sources.items()
        if f"{option}=y" not in options
    )


def _checkpatch(work: Path, patch: Path) -> Iterator[str]:
    done = run(
        work / "scripts" / "checkpatch.pl",
        "--strict",
        "--terse",
        "--no-summary",
        "--ignore",
        IGNORED,
        patch,
        cwd=work,
    )
    for line in done.stdout.splitlines():
        yield f"checkpatch: {line.split(': ', 1)[-1]}"


def _warnings(
    work: Path, objects: Path, sources: list[str], arch: str = "x86_64", cross: str = ""
) -> Counter[str]:
    """Build the sources' objects with W=1 and sparse; return the messages without line numbers.

    make rebuilds only what a commit touches, headers included, so an empty result
    means that nothing that was built has a warning.
    """
    targets = [name[:-2] + ".o" for name in sources if (work / name).is_file()]
    command = make_command(
        work, objects, "-s", "-k", "W=1", "C=1", *targets, arch=arch, cross=cross
    )
    done = run(*command, extra=BUILD_VARIABLES)
    lines = [
        re.sub(r":\d+(:\d+)?:", ":", line.removeprefix("../"))
        for line in done.stderr.splitlines()
        if re.search(r"\b(warning|error): |\*\*\* ", line)
    ]
    if done.returncode and not lines:
        lines = done.stderr.splitlines()[-3:]
    return Counter(lines)


def _leftovers(work: Path, variant: Variant) -> list[str]:
    """Say what the removal left over; only asked of a variant that removes it."""
    if "pageless" not in variant.series:
        return []
    found = []
    for word in read_probe(variant.release).gone:
        hits = git(work, "grep", "-l", "-w", word, check=False).stdout.split()
        if hits:
            found.append(f"{word} still stands in {', '.join(hits)}")
    return found


def _check_config(work: Path, variant: Variant, config: Config, sources: list[str]) -> list[str]:
    """Build what the series touches in one more configuration of the final tree."""
    if config.cross and not shutil.which(config.cross + "gcc"):
        return [f"{config.name}: {config.cross}gcc not found; install gcc-{config.cross[:-1]}"]
    objects = work / f"obj-{config.name}"
    git(work, "checkout", "-q", "--detach", "-f", "checked")
    configure(
        work, objects, _options(variant) + config.options, config.arch, config.cross, strict=False
    )
    absent = config.absent + _left_out(objects, variant)
    enabled = [name for name in sources if (work / name).is_file() and not name.startswith(absent)]
    errors = [
        line
        for line in _warnings(work, objects, enabled, config.arch, config.cross)
        if _is_error(line)
    ]
    print(f"{config.name}: {len(enabled)} objects: {'ok' if not errors else 'fails'}", flush=True)
    return [f"{config.name}: {line}" for line in errors]


def boot_points(variant: Variant, points: list[str]) -> list[str]:
    """Build the tree as it stands after each of the patches and run the smoke cells on it."""
    complaints = []
    for point in points:
        name = f"{variant.name}@{point}"
        text = (ROOT / "configs" / "matrix" / "smoke.toml").read_text()
        matrix = BUILD / "series-check" / f"smoke-{point}.toml"
        matrix.parent.mkdir(parents=True, exist_ok=True)
        matrix.write_text(re.sub(r'"(page|pageless)(["/])', rf'"{name}\2', text))
        extra = own_environment() | {
            "P2PBENCH_RESULTS": str(BUILD / "series-check" / "results"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        done = run(
            sys.executable,
            *RUN_BOOTS,
            f"--matrix={matrix}",
            cwd=ROOT,
            extra=extra,
            output=sys.stdout,
        )
        if done.returncode:
            complaints.append(f"{name}: the smoke cells fail")
    return complaints

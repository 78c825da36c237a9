# SPDX-License-Identifier: GPL-2.0
"""Configure and build a variant, and keep the result by the content it was made from."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from p2pbench.base import cache, program
from p2pbench.base.errors import BenchError
from p2pbench.base.lock import locked
from p2pbench.base.paths import BUILD, cache_dir, shown
from p2pbench.base.tools import file_sha256
from p2pbench.linux import build_progress, incremental, struct_sizes
from p2pbench.linux.incremental import compiler
from p2pbench.linux.symbols import compact
from p2pbench.linux.tree import base_tarball, make_tree
from p2pbench.linux.variants import Variant, base_dir

FLAVOURS = ("bench", "debug")
# Changed whenever what a cached build holds changes.
_LAYOUT = "5"
# What makes equal content give equal objects, for us and for ccache, beside program.environment().
BUILD_VARIABLES = {
    "KBUILD_BUILD_TIMESTAMP": "1970-01-01",
    "KBUILD_BUILD_USER": "p2pbench",
    "KBUILD_BUILD_HOST": "p2pbench",
    "KBUILD_BUILD_VERSION": "1",
    "CCACHE_NOHASHDIR": "1",
    # A miss costs no run of the preprocessor: what a file includes tells a hit.
    "CCACHE_DEPEND": "1",
}
# How many objects a kernel has, roughly; a kernel that is there tells it better.
_OBJECTS = 1400


@dataclass(frozen=True)
class Kernel:
    """A finished build: bzImage, System.map, config, and what a module builds against."""

    variant: Variant
    flavour: str
    key: str
    directory: Path

    @property
    def bzimage(self) -> Path:
        """The kernel image that QEMU boots."""
        return self.directory / "bzImage"

    @property
    def devel(self) -> Path:
        """The build directory for external modules (KDIR)."""
        return self.directory / "devel"

    def provenance(self) -> dict[str, object]:
        """Return what the build was made from, for a result's provenance."""
        content: dict[str, object] = json.loads((self.directory / "build.json").read_text())
        return content


def fragments(variant: Variant, flavour: str) -> list[Path]:
    """Return the configuration fragments of a kernel, in the order they are merged."""
    if flavour not in FLAVOURS:
        raise BenchError(f'unknown flavour "{flavour}" ({", ".join(FLAVOURS)})')
    return [
        base_dir(variant.release) / "config" / f"{name}.config"
        for name in ("base", flavour, *variant.fragments)
    ]


def asked_options(variant: Variant, flavour: str) -> str:
    """Return the options that a kernel asks for, as one fragment."""
    return "\n".join(path.read_text() for path in fragments(variant, flavour))


def _inputs(variant: Variant, flavour: str) -> dict[str, object]:
    return {
        "base": _below(variant),
        "variant": variant.name,
        "flavour": flavour,
        "compiler": compiler(),
        "patches": [
            {"file": f"{patch.parent.name}/{patch.name}", "sha256": file_sha256(patch)}
            for patch in variant.patches()
        ],
        "fragments": [
            {"file": path.name, "sha256": file_sha256(path)} for path in fragments(variant, flavour)
        ],
    }


def _below(variant: Variant) -> dict[str, str]:
    """Return what the series of a variant apply to, by content: a package, or a user's git tree."""
    if variant.own:
        return {"object": variant.own.object}
    base = variant.base
    return {"package": base.package, "version": base.version, "sha256": base_tarball(base)}


def _key(inputs: dict[str, object]) -> str:
    text = json.dumps([_LAYOUT, inputs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _kernel(variant: Variant, flavour: str, inputs: dict[str, object]) -> Kernel:
    key = _key(inputs)
    return Kernel(
        variant, flavour, key, cache_dir() / "kernels" / f"{variant.name}-{flavour}-{key}"
    )


def expected(variant: Variant, flavour: str) -> Kernel:
    """Return the kernel that build() would return, whether it is in the cache yet or not."""
    return _kernel(variant, flavour, _inputs(variant, flavour))


def build(variant: Variant, flavour: str) -> Kernel:
    """Return the variant's kernel, from the cache or built now."""
    inputs = _inputs(variant, flavour)
    kernel = _kernel(variant, flavour, inputs)
    cache.use(kernel.directory)
    if _complete(kernel):
        return kernel
    with building() as locks:
        if not _complete(kernel):
            try:
                _build(kernel, inputs, locks)
            except OSError as error:
                raise BenchError(
                    f"cannot build the kernel: {error}; nothing half-finished was kept"
                ) from None
        cache.use(kernel.directory)
    return kernel


@contextlib.contextmanager
def building() -> Iterator[tuple[int, int]]:
    """Let one process at a time build kernels: for one cache, and in one checkout.

    Yields the locks' file descriptors, for program.run's hold.
    """
    with locked("kernels") as of_cache, locked("objects", BUILD) as of_checkout:
        yield of_cache, of_checkout


def _complete(kernel: Kernel) -> bool:
    """Say whether the cached build is there and whole; a damaged one is removed."""
    if not kernel.directory.is_dir():
        return False
    try:
        if kernel.provenance()["bzimage_sha256"] == file_sha256(kernel.bzimage):
            return True
    except (OSError, ValueError, KeyError):
        pass
    print(f"{kernel.directory}: damaged, it is built again", flush=True)
    shutil.rmtree(kernel.directory)
    return False


def _build(kernel: Kernel, inputs: dict[str, object], locks: tuple[int, int]) -> None:
    started = time.monotonic()
    label = f"{kernel.variant.name} ({kernel.flavour})"
    print(f"building the {label} kernel", flush=True)
    tree = make_tree(kernel.variant)
    scratch = kernel.directory.parent / f".{kernel.directory.name}-{os.getpid()}"
    try:
        count = compile_tree(tree, kernel.variant, kernel.flavour, locks)
        objects = tree / f"obj-{kernel.flavour}"
        install(tree, objects, scratch)
        struct_sizes.keep(kernel.variant, tree, objects, scratch, BUILD_VARIABLES)
        inputs |= {
            "key": kernel.key,
            "built_in_s": round(time.monotonic() - started, 1),
            "objects_built": count,
            "bzimage_sha256": file_sha256(scratch / "bzImage"),
            "config_sha256": file_sha256(scratch / "config"),
        }
        (scratch / "build.json").write_text(json.dumps(inputs, indent=1))
        os.sync()
        scratch.rename(kernel.directory)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(
        f"built the {label} kernel in {time.monotonic() - started:.0f} s: {count:,} objects",
        flush=True,
    )


def compile_tree(tree: Path, variant: Variant, flavour: str, locks: tuple[int, int]) -> int:
    """Build a tree's kernel and modules in its obj-<flavour>; return how many objects that took.

    What the tree's index holds is built, whatever the times of its files say. Objects come from
    the tree of the variant that is nearest in content, where one has been built. locks are those
    of building(), which the caller holds.
    """
    objects = tree / f"obj-{flavour}"
    content = incremental.sources(tree)
    others = sorted((BUILD / "linux" / variant.release).glob(f"*/obj-{flavour}"))
    nearest = incremental.nearest(content, [objects, *others])
    if nearest:
        incremental.borrow(nearest, objects)
    objects.mkdir(exist_ok=True)
    incremental.drop_half_made(objects)
    changed = incremental.mark(tree, objects, content)
    configure(tree, objects, asked_options(variant, flavour), patches=variant.patches())
    total = incremental.to_build(objects, changed) if nearest else _OBJECTS
    log = objects / "make.log"
    build_progress.announce(locks[0], f"{variant.name} ({flavour})", log, total)
    with build_progress.shown():
        _make(
            tree,
            objects,
            "bzImage",
            "modules",
            name=f"-{variant.name}-{flavour}",
            hold=locks,
            patches=variant.patches(),
        )
    edited = incremental.edited(tree, objects, content)
    incremental.write_list(
        objects, {path: blob for path, blob in content.items() if path not in edited}
    )
    if edited:
        raise BenchError(f"{shown(tree / min(edited))} changed while it was built; build it again")
    return build_progress.objects_in(log)


def make_command(
    tree: Path, objects: Path, *targets: str, arch: str = "x86_64", cross: str = "", name: str = ""
) -> list[str]:
    """Return the make command line that builds targets of a tree into its objects.

    name is what `uname -r` has behind the version. As CONFIG_LOCALVERSION it would be in a header
    that every source includes, and ccache could not use one variant's objects for another.
    """
    cc = (
        f"ccache {cross}gcc"
        if shutil.which("ccache", path=program.search_path())
        else f"{cross}gcc"
    )
    jobs = (os.cpu_count() or 1) + 1  # one more, for when one waits for the disk
    return [
        "make",
        "-C",
        str(tree),
        f"O={objects.name}",
        f"-j{jobs}",
        f"CC={cc}",
        f"ARCH={arch}",
        f"CROSS_COMPILE={cross}",
        f"LOCALVERSION={name}",
        *targets,
    ]


def _make(
    tree: Path,
    objects: Path,
    *targets: str,
    arch: str = "x86_64",
    cross: str = "",
    name: str = "",
    hold: tuple[int, ...] = (),
    patches: Sequence[Path] = (),
) -> None:
    log = objects / "make.log"
    command = make_command(tree, objects, *targets, arch=arch, cross=cross, name=name)
    with log.open("w") as stream:
        done = program.run(*command, extra=BUILD_VARIABLES, output=stream, hold=hold)
    if done.returncode:
        raise BenchError(_build_error(patches, log.read_text(errors="replace"), log))


def _build_error(patches: Sequence[Path], text: str, log: Path) -> str:
    """Say what broke the build, in which file, and which patches touch that file."""
    first = program.why(text)
    message = f"kernel build failed: {first} (all of it in {shown(log)})"
    found = re.search(r"([\w./-]+\.[chS]):\d+", first)
    if not found:
        return message
    source = os.path.normpath(found[1]).removeprefix("../")
    for patch in patches:
        if f"+++ b/{source}\n" in patch.read_text(errors="replace"):
            message += f"; {shown(patch)} touches {source}"
    return message


def configure(
    tree: Path,
    objects: Path,
    asked: str,
    arch: str = "x86_64",
    cross: str = "",
    strict: bool = True,
    patches: Sequence[Path] = (),
) -> None:
    """Merge options over tinyconfig and, if strict, insist on every one of them.

    patches are those of the tree: one that breaks this is named.
    """
    objects.mkdir(exist_ok=True)
    config = objects / ".config"
    before = config.stat() if config.is_file() else None
    content = config.read_bytes() if before else b""
    fragment = objects / "p2pbench.config"
    fragment.write_text(asked)
    _make(tree, objects, "tinyconfig", arch=arch, cross=cross, patches=patches)
    merge = tree / "scripts" / "kconfig" / "merge_config.sh"
    done = program.run(
        merge, "-m", "-O", objects, config, fragment, cwd=tree, extra=BUILD_VARIABLES
    )
    if done.returncode:
        raise BenchError(f"merge_config.sh failed: {program.why(done.stderr)}")
    _make(tree, objects, "olddefconfig", arch=arch, cross=cross, patches=patches)
    refused = refused_options(asked, config.read_text())
    if refused and strict:
        raise BenchError(
            f"{len(refused)} option(s) of linux/*/config did not end up in .config as "
            "asked:\n  " + "\n  ".join(refused)
        )
    if before and config.read_bytes() == content:
        os.utime(config, ns=(before.st_atime_ns, before.st_mtime_ns))


def refused_options(asked: str, config: str) -> list[str]:
    """Return a line for each option of a fragment that a .config does not hold as asked."""

    def options(text: str) -> dict[str, str]:
        found = re.findall(r"^(?:(CONFIG_\w+)=(.*)|# (CONFIG_\w+) is not set)$", text, re.M)
        return {name or unset: value if name else "n" for name, value, unset in found}

    got = options(config)
    return [
        f"{name}: asked for {value}, got {got.get(name, 'n')}"
        for name, value in options(asked).items()
        if got.get(name, "n") != value
    ]


def _copy(source: Path, target: Path, *expression: str) -> None:
    """Copy what find names below a directory by tar, which keeps modes and links."""
    done = program.run(
        "bash",
        "-o",
        "pipefail",
        "-c",
        'target=$1; shift; find "$@" -print0 | tar --null -T - -cf - | tar -C "$target" -xf -',
        "bash",
        target,
        *expression,
        cwd=source,
    )
    if done.returncode:
        raise BenchError(
            f"cannot copy the kernel's headers to {target}: {program.why(done.stderr)}"
        )


def install(tree: Path, objects: Path, target: Path) -> None:
    """Put together what a boot and a module build need (the list is the kernel's builddeb's)."""
    devel = target / "devel"
    devel.mkdir(parents=True)
    for name, source in (
        ("bzImage", objects / "arch" / "x86" / "boot" / "bzImage"),
        ("System.map", objects / "System.map"),
        ("config", objects / ".config"),
    ):
        shutil.copyfile(source, target / name)
    (target / "objects.map").write_text(compact(objects / "vmlinux.map"))
    _copy(tree, devel, ".", "arch/x86", "-maxdepth", "1", "-name", "Makefile*")
    _copy(tree, devel, "include", "scripts", "(", "-type", "f", "-o", "-type", "l", ")")
    _copy(tree, devel, "arch/x86/include", "tools/testing/kunit", "-type", "f")
    objtool = [name for name in ("tools/objtool/objtool",) if (objects / name).is_file()]
    _copy(
        objects,
        devel,
        "include",
        "scripts",
        "arch/x86/include",
        "Module.symvers",
        ".config",
        *objtool,
        "-type",
        "f",
    )

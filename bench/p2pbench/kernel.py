"""Configure and build a variant, and keep the result by the content it was made from."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import structs
from .errors import BenchError
from .lock import locked
from .objects import compact
from .paths import LINUX, cache_dir, shown
from .tree import base_tarball, make_tree
from .variants import Variant, file_sha256, find_variant, read_base

FLAVOURS = ("bench", "debug")
# Changed whenever what a cached build holds changes.
_LAYOUT = "4"


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
    return [LINUX / "config" / f"{name}.config" for name in ("base", flavour, *variant.fragments)]


def asked_options(variant: Variant, flavour: str) -> str:
    """Return the options that a kernel asks for, as one fragment."""
    return "\n".join(path.read_text() for path in fragments(variant, flavour))


def compiler() -> str:
    """Return the first line of the compiler's and the linker's version."""
    lines = []
    for tool in ("gcc", "ld"):
        try:
            done = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            raise BenchError(f"{tool} not found; run `make deps`") from None
        lines.append(done.stdout.splitlines()[0])
    return "; ".join(lines)


def _inputs(variant: Variant, flavour: str) -> dict[str, object]:
    base = read_base()
    sha256 = base_tarball(base)
    return {
        "base": {"package": base.package, "version": base.version, "sha256": sha256},
        "variant": variant.name, "flavour": flavour, "compiler": compiler(),
        "patches": [{"file": f"{patch.parent.name}/{patch.name}", "sha256": file_sha256(patch)}
                    for patch in variant.patches()],
        "fragments": [{"file": path.name, "sha256": file_sha256(path)}
                      for path in fragments(variant, flavour)],
    }


def _key(inputs: dict[str, object]) -> str:
    text = json.dumps([_LAYOUT, inputs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _kernel(variant: Variant, flavour: str, inputs: dict[str, object]) -> Kernel:
    key = _key(inputs)
    return Kernel(variant, flavour, key,
                  cache_dir() / "kernels" / f"{variant.name}-{flavour}-{key}")


def expected(variant: Variant, flavour: str) -> Kernel:
    """Return the kernel that build() would return, whether it is in the cache yet or not."""
    return _kernel(variant, flavour, _inputs(variant, flavour))


def build(variant: Variant, flavour: str) -> Kernel:
    """Return the variant's kernel, from the cache or built now (10 to 25 minutes on 2 cores)."""
    inputs = _inputs(variant, flavour)
    kernel = _kernel(variant, flavour, inputs)
    if _complete(kernel):
        return kernel
    with locked("kernels"):
        if not _complete(kernel):
            try:
                _build(kernel, inputs)
            except OSError as error:
                raise BenchError(f"cannot build the kernel: {error}; nothing half-finished was "
                                 "kept") from None
    return kernel


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


def _build(kernel: Kernel, inputs: dict[str, object]) -> None:
    started = time.monotonic()
    label = f"{kernel.variant.name} ({kernel.flavour})"
    print(f"building the {label} kernel: 10 to 25 minutes on 2 cores, once", flush=True)
    tree = make_tree(kernel.variant)
    objects = tree / f"obj-{kernel.flavour}"
    configure(tree, objects, asked_options(kernel.variant, kernel.flavour))
    _make(tree, objects, "bzImage", "modules", name=f"-{kernel.variant.name}-{kernel.flavour}")
    scratch = kernel.directory.parent / f".{kernel.directory.name}-{os.getpid()}"
    try:
        install(tree, objects, scratch)
        structs.keep(kernel.variant, tree, objects, scratch, build_environment())
        inputs |= {"key": kernel.key, "built_in_s": round(time.monotonic() - started, 1),
                   "bzimage_sha256": file_sha256(scratch / "bzImage"),
                   "config_sha256": file_sha256(scratch / "config")}
        (scratch / "build.json").write_text(json.dumps(inputs, indent=1))
        os.sync()
        scratch.rename(kernel.directory)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"built the {label} kernel in {time.monotonic() - started:.0f} s", flush=True)


def build_environment() -> dict[str, str]:
    """Return an environment in which equal content gives equal objects, for us and ccache."""
    drop = ("MAKE", "KBUILD", "ARCH", "CROSS_COMPILE", "LOCALVERSION", "O", "M", "V", "W", "C")
    env = {key: value for key, value in os.environ.items()
           if key not in drop and not key.startswith(("MAKE", "KBUILD_", "GIT_"))}
    return env | {"KBUILD_BUILD_TIMESTAMP": "1970-01-01", "KBUILD_BUILD_USER": "p2pbench",
                  "KBUILD_BUILD_HOST": "p2pbench", "CCACHE_NOHASHDIR": "1", "LC_ALL": "C",
            # A miss costs no run of the preprocessor: what a file includes tells a hit.
            "CCACHE_DEPEND": "1"}


def make_command(tree: Path, objects: Path, *targets: str, arch: str = "x86_64",
                 cross: str = "", name: str = "") -> list[str]:
    """Return the make command line that builds targets of a tree into its objects.

    name is what `uname -r` has behind the version. As CONFIG_LOCALVERSION it would be in a header
    that every source includes, and ccache could not use one variant's objects for another.
    """
    cc = f"ccache {cross}gcc" if shutil.which("ccache") else f"{cross}gcc"
    return ["make", "-C", str(tree), f"O={objects.name}", f"-j{os.cpu_count() or 1}", f"CC={cc}",
            f"ARCH={arch}", f"CROSS_COMPILE={cross}", f"LOCALVERSION={name}", *targets]


def _make(tree: Path, objects: Path, *targets: str, arch: str = "x86_64", cross: str = "",
          name: str = "") -> None:
    log = objects / "make.log"
    command = make_command(tree, objects, "-s", *targets, arch=arch, cross=cross, name=name)
    with log.open("w") as stream:
        done = subprocess.run(command, env=build_environment(), stdin=subprocess.DEVNULL,
                              stdout=stream, stderr=subprocess.STDOUT)
    if done.returncode:
        raise BenchError(_build_error(find_variant(tree.name).patches(),
                                      log.read_text(errors="replace"), log))


def _build_error(patches: list[Path], text: str, log: Path) -> str:
    """Say what broke the build, in which file, and which patches touch that file."""
    lines = text.splitlines()
    first = next((line for line in lines if re.search(r"\berror\b|\*\*\*|undefined reference|"
                                                      r"No space left", line)),
                 lines[-1] if lines else "make printed nothing")
    message = f"kernel build failed: {first.strip()} (all of it in {shown(log)})"
    found = re.search(r"([\w./-]+\.[chS]):\d+", first)
    if not found:
        return message
    source = os.path.normpath(found[1]).removeprefix("../")
    for patch in patches:
        if f"+++ b/{source}\n" in patch.read_text(errors="replace"):
            message += f"; {shown(patch)} touches {source}"
    return message


def configure(tree: Path, objects: Path, asked: str, arch: str = "x86_64", cross: str = "",
              strict: bool = True) -> None:
    """Merge options over tinyconfig and, if strict, insist on every one of them."""
    objects.mkdir(exist_ok=True)
    config = objects / ".config"
    before = config.stat() if config.is_file() else None
    content = config.read_bytes() if before else b""
    fragment = objects / "p2pbench.config"
    fragment.write_text(asked)
    _make(tree, objects, "tinyconfig", arch=arch, cross=cross)
    done = subprocess.run([tree / "scripts" / "kconfig" / "merge_config.sh", "-m", "-O", objects,
                           config, fragment], cwd=tree, env=build_environment(), text=True,
                          capture_output=True)
    if done.returncode:
        raise BenchError(f"merge_config.sh failed: {done.stderr.strip()}")
    _make(tree, objects, "olddefconfig", arch=arch, cross=cross)
    refused = refused_options(asked, config.read_text())
    if refused and strict:
        raise BenchError(f"{len(refused)} option(s) of linux/config did not end up in .config as "
                         "asked:\n  " + "\n  ".join(refused))
    if before and config.read_bytes() == content:
        os.utime(config, ns=(before.st_atime_ns, before.st_mtime_ns))


def refused_options(asked: str, config: str) -> list[str]:
    """Return a line for each option of a fragment that a .config does not hold as asked."""
    def options(text: str) -> dict[str, str]:
        found = re.findall(r"^(?:(CONFIG_\w+)=(.*)|# (CONFIG_\w+) is not set)$", text, re.M)
        return {name or unset: value if name else "n" for name, value, unset in found}

    got = options(config)
    return [f"{name}: asked for {value}, got {got.get(name, 'n')}"
            for name, value in options(asked).items() if got.get(name, "n") != value]


def _copy(files: list[str], source: Path, target: Path) -> None:
    """Copy files (paths relative to source) by tar, which keeps modes and links."""
    text = "\0".join(files)
    pack = subprocess.run(["tar", "-C", source, "--null", "-T", "-", "-cf", "-"],
                          input=text.encode(), capture_output=True)
    unpack = subprocess.run(["tar", "-C", target, "-xf", "-"], input=pack.stdout,
                            capture_output=True)
    if pack.returncode or unpack.returncode:
        raise BenchError(f"cannot copy the kernel's headers to {target}: "
                         f"{(pack.stderr + unpack.stderr).decode(errors='replace').strip()}")


def _find(directory: Path, *expression: str) -> list[str]:
    done = subprocess.run(["find", *expression, "-print0"], cwd=directory, capture_output=True,
                          text=True)
    if done.returncode:
        raise BenchError(f"cannot list {shown(directory)}: {done.stderr.strip()}")
    return [name for name in done.stdout.split("\0") if name]


def install(tree: Path, objects: Path, target: Path) -> None:
    """Put together what a boot and a module build need (the list is the kernel's builddeb's)."""
    devel = target / "devel"
    devel.mkdir(parents=True)
    for name, source in (("bzImage", objects / "arch" / "x86" / "boot" / "bzImage"),
                         ("System.map", objects / "System.map"), ("config", objects / ".config")):
        shutil.copyfile(source, target / name)
    (target / "objects.map").write_text(compact(objects / "vmlinux.map"))
    sources = _find(tree, ".", "arch/x86", "-maxdepth", "1", "-name", "Makefile*")
    sources += _find(tree, "include", "scripts", "(", "-type", "f", "-o", "-type", "l", ")")
    sources += _find(tree, "arch/x86/include", "tools/testing/kunit", "-type", "f")
    _copy(sources, tree, devel)
    built = _find(objects, "include", "scripts", "arch/x86/include", "Module.symvers", ".config",
                  "-type", "f")
    built += [name for name in ("tools/objtool/objtool",) if (objects / name).is_file()]
    _copy(built, objects, devel)

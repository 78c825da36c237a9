# SPDX-License-Identifier: GPL-2.0
"""The guest's initramfs: the agent, the provider module, and Debian's own fio, nvme and rdma."""

import functools
import hashlib
import os
import re
import shutil
from pathlib import Path

from p2pbench.base import cache
from p2pbench.base.errors import BenchError
from p2pbench.base.lock import locked
from p2pbench.base.paths import BUILD, ROOT, cache_dir, shown
from p2pbench.base.program import find_tool, run, why
from p2pbench.base.tools import file_sha256, run_make
from p2pbench.linux.kernel import Kernel

AGENT_PORT = "org.p2pbench.agent"
MODULE = "/lib/p2pbench/p2p_provider.ko"
TOOLS = ("fio", "nvme", "rdma", "ip")


def build_agent() -> Path:
    """Build the agent and return the program."""
    out = BUILD / "agent"
    run_make(ROOT / "bench" / "agent", "bench/agent", out)
    return out / "p2pagent"


def build_provider(kernel: Kernel) -> Path:
    """Build the provider module for a kernel and return it."""
    out = BUILD / "provider" / kernel.directory.name
    run_make(ROOT / "bench" / "provider", "bench/provider", out, f"KDIR={kernel.devel}")
    return out / "p2p_provider.ko"


def _libraries(program: Path) -> list[Path]:
    """Return the shared objects that the loader would map for a program, itself among them."""
    if program.read_bytes()[:4] != b"\x7fELF":
        raise BenchError(
            f"{program} is no program but a script, which the guest cannot run; put "
            "the directory of the program that it calls before it in PATH"
        )
    listed = run("ldd", program).stdout
    missing = re.findall(r"^\s*(\S+) => not found", listed, re.M)
    if missing:
        raise BenchError(f"{program} needs {', '.join(missing)}, not found; is its package broken?")
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]


def _content(kernel: Kernel) -> dict[str, Path]:
    """Return the image's files: path in the guest to path here."""
    content = {
        "/init": build_agent(),
        MODULE: build_provider(kernel),
        "/bin/busybox": find_tool("busybox"),
    }
    content |= {f"/usr/bin/{name}": find_tool(name) for name in TOOLS}
    programs = [content[target] for target in content if target != MODULE]
    for program in programs:
        content |= {str(library): library for library in _libraries(program)}
    return content


@functools.cache
def build_image(kernel: Kernel) -> Path:
    """Return the initramfs for a kernel; it is made only when its content changed.

    Looked at once a process: all boots of a run have the same image, whatever is
    edited meanwhile. The name of the file is the hash of its content.
    """
    content = _content(kernel)
    lines = [f"{target} {file_sha256(source)}" for target, source in sorted(content.items())]
    key = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    image = cache_dir() / "images" / f"{key}.cpio"
    cache.use(image)
    if not image.is_file():
        with locked("image"):
            if not image.is_file():
                _write_image(image, content)
            cache.use(image)
    return image


def _write_image(image: Path, content: dict[str, Path]) -> None:
    """Write the image; its bytes depend on the content alone, not on times, users or a umask."""
    image.parent.mkdir(parents=True, exist_ok=True)
    root = image.parent / f".root-{os.getpid()}"
    partial = image.with_suffix(f".{os.getpid()}.new")
    try:
        _fill(root, content)
        _check_programs(root, content)
        _must(
            "sh",
            "-c",
            "find . -exec touch -h -d @0 {} + && find . -print0 | sort -z | "
            'cpio -0 -o -H newc -R 0:0 --reproducible --quiet >"$1" && sync "$1"',
            "sh",
            str(partial),
            cwd=root,
        )
        partial.rename(image)
    except OSError as error:
        raise BenchError(
            f"cannot write the guest image {shown(image)}: {error}; is the disk full?"
        ) from None
    finally:
        partial.unlink(missing_ok=True)
        shutil.rmtree(root, ignore_errors=True)


def _fill(root: Path, content: dict[str, Path]) -> None:
    """Put an image's files, links and directories below a root."""
    for directory in ("dev", "proc", "sys", "run", "tmp", "etc"):
        (root / directory).mkdir(parents=True)
    for target, source in content.items():
        path = root / target.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        path.chmod(0o755)
    for applet in _must(str(root / "bin" / "busybox"), "--list").split():
        if applet not in ("busybox", *TOOLS):
            (root / "bin" / applet).symlink_to("busybox")
    # A library may lie where only this machine's cache of the loader finds it.
    directories = sorted({str(Path(target).parent) for target in content if ".so" in target})
    (root / "etc" / "ld.so.conf").write_text("".join(f"{name}\n" for name in directories))
    _must("ldconfig", "-X", "-r", str(root))
    _must("find", ".", "-type", "d", "-exec", "chmod", "755", "{}", "+", cwd=root)
    (root / "etc" / "ld.so.conf").chmod(0o644)
    (root / "etc" / "ld.so.cache").chmod(0o644)


def _check_programs(root: Path, content: dict[str, Path]) -> None:
    """Let the guest's own loader find every library of every program, before a boot needs it."""
    directories = (root / "etc" / "ld.so.conf").read_text().split()
    path = ":".join(str(root / name.lstrip("/")) for name in directories)
    for name in TOOLS:
        program = root / "usr" / "bin" / name
        loader = [target for target in content if "/ld-linux" in target][0]
        _must(
            str(root / loader.lstrip("/")),
            "--inhibit-cache",
            "--library-path",
            path,
            "--list",
            str(program),
        )


def _must(*command: str, cwd: Path | None = None) -> str:
    """Run a step of the image's making; return what it printed."""
    done = run(*command, cwd=cwd)
    if done.returncode:
        raise BenchError(
            f"cannot make the guest image: {Path(command[0]).name}: {why(done.stderr)}"
        )
    return done.stdout

"""The guest's initramfs: the agent, the provider module, and Debian's own fio, nvme and rdma."""

import functools
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from .errors import BenchError
from .kernel import Kernel
from .lock import locked
from .paths import BUILD, ROOT, cache_dir, shown
from .variants import file_sha256

AGENT_PORT = "org.p2pbench.agent"
MODULE = "/lib/p2pbench/p2p_provider.ko"
TOOLS = ("fio", "nvme", "rdma", "ip")
_SBIN = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def find_tool(name: str) -> Path:
    """Return a program's path; the sbin directories count although a user's PATH lacks them."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *_SBIN]))
    if not found:
        raise BenchError(f"{name} not found; run `make deps`")
    return Path(found)


def run_make(directory: Path, what: str, *args: str) -> None:
    """Run make in a directory of ours, and say in one line why it fails."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    done = subprocess.run(["make", "-s", "-C", str(directory), *args], env=env, text=True,
                          capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if "rror" in line]
        raise BenchError(f"{what} does not build: {(words or [done.stderr.strip()])[0]}")


def build_agent() -> Path:
    """Build the agent and return the program."""
    out = BUILD / "agent"
    run_make(ROOT / "bench" / "agent", "bench/agent", f"O={out}")
    return out / "p2pagent"


def build_provider(kernel: Kernel) -> Path:
    """Build the provider module for a kernel and return it."""
    out = BUILD / "provider" / kernel.directory.name
    run_make(ROOT / "bench" / "provider", "bench/provider", f"KDIR={kernel.devel}", f"O={out}")
    return out / "p2p_provider.ko"


def _libraries(program: Path) -> list[Path]:
    """Return the shared objects that the loader would map for a program."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True)
    missing = re.findall(r"^\s*(\S+) => not found", done.stdout, re.M)
    if missing:
        raise BenchError(f"{program} needs {', '.join(missing)}, not found; is its package broken?")
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", done.stdout)]


def _content(kernel: Kernel) -> dict[str, Path]:
    """Return the image's files: path in the guest to path here."""
    content = {"/init": build_agent(), MODULE: build_provider(kernel),
               "/bin/busybox": find_tool("busybox")}
    content |= {f"/usr/bin/{name}": find_tool(name) for name in TOOLS}
    for program in list(content.values()):
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
    if not image.is_file():
        with locked("image"):
            if not image.is_file():
                _write_image(image, content)
    return image


def _write_image(image: Path, content: dict[str, Path]) -> None:
    image.parent.mkdir(parents=True, exist_ok=True)
    root = image.parent / f".root-{os.getpid()}"
    partial = image.with_suffix(f".{os.getpid()}.new")
    try:
        for target, source in content.items():
            path = root / target.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)
            path.chmod(0o755)
        for directory in ("dev", "proc", "sys", "run", "tmp", "etc"):
            (root / directory).mkdir(exist_ok=True)
        for applet in subprocess.run([root / "bin" / "busybox", "--list"], capture_output=True,
                                     text=True, check=True).stdout.split():
            if applet not in ("busybox", *TOOLS):
                (root / "bin" / applet).symlink_to("busybox")
        with partial.open("wb") as stream:
            subprocess.run("find . -print0 | LC_ALL=C sort -z | cpio -0 -o -H newc -R 0:0 "
                           "--reproducible --quiet", shell=True, cwd=root, stdout=stream,
                           check=True)
            os.fsync(stream.fileno())
        partial.rename(image)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchError(f"cannot write the guest image {shown(image)}: {error}; is the disk "
                         "full?") from None
    finally:
        partial.unlink(missing_ok=True)
        shutil.rmtree(root, ignore_errors=True)

# SPDX-License-Identifier: GPL-2.0
"""What is measured is the same, byte for byte, whatever the user's shell holds."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from p2pbench.base.paths import ROOT, cache_dir
from p2pbench.base.tools import file_sha256
from p2pbench.linux import kernel, tree
from p2pbench.linux.kernel import Kernel
from p2pbench.linux.variants import find_variant
from support import HOSTILE

# The path of each small build, by what it prints; the kernel is the one in the cache.
SMALL_BUILDS = """\
import json, sys
from p2pbench.base.tools import file_sha256
from p2pbench.linux import kernel
from p2pbench.linux.variants import find_variant
from p2pbench.testbed import initramfs, instruments
page = kernel.build(find_variant("page"), "bench")
built = {"agent": initramfs.build_agent(), "module": initramfs.build_provider(page),
         "image": initramfs.build_image(page)}
built |= {f"plugin {api}": plugin for api, plugin in instruments.build_plugins().items()}
json.dump({name: file_sha256(path) for name, path in built.items()}, sys.stdout)
"""
# Objects that are made again: of the path that is measured, and what holds the version.
AGAIN = (
    "block/bio.o",
    "drivers/nvme/host/pci.o",
    "drivers/nvme/target/core.o",
    "mm/memremap.o",
    "init/version.o",
    "lib/genalloc.o",
    "vmlinux",
)


@pytest.fixture
def own_cache(tmp_path: Path, page_kernel: Kernel) -> Path:
    """A cache of the test's own that has the base and, to be built against, the page kernel."""
    own = tmp_path / "cache"
    (own / "kernels").mkdir(parents=True)
    (own / "base").symlink_to(cache_dir() / "base")
    return own


def small_builds(checkout: Path, cache: Path, shell: dict[str, str]) -> dict[str, str]:
    """Make agent, module, image and plugin from nothing in a shell that holds these variables."""
    shutil.rmtree(checkout / "build", ignore_errors=True)
    shutil.rmtree(cache / "images", ignore_errors=True)
    env = os.environ | shell | {"P2PBENCH_CACHE": str(cache), "PYTHONPATH": str(checkout / "bench")}
    done = subprocess.run(
        ["/usr/bin/env", "-u", "PYTHONHOME", "/usr/bin/python3", "-c", SMALL_BUILDS],
        env=env,
        text=True,
        capture_output=True,
        umask=0o077 if shell else 0o022,
    )
    assert done.returncode == 0, done.stderr
    hashes: dict[str, str] = json.loads(done.stdout)
    return hashes


def test_agent_module_image_and_plugin_are_the_same_in_a_hostile_shell(
    tmp_path: Path, own_cache: Path, page_kernel: Kernel
) -> None:
    (own_cache / "kernels" / page_kernel.directory.name).symlink_to(page_kernel.directory)
    checkout = tmp_path / "checkout"
    for name in ("bench", "linux", "configs"):
        shutil.copytree(ROOT / name, checkout / name)
    plain = small_builds(checkout, own_cache, {})
    assert small_builds(checkout, own_cache, HOSTILE) == plain


@pytest.mark.full
def test_the_kernel_is_the_same_in_a_hostile_shell(own_cache: Path, page_kernel: Kernel) -> None:
    """`make linux` builds it again, a good part of it from the sources, for a cache without it."""
    objects = tree.tree_dir(find_variant("page")) / "obj-bench"
    with kernel.building():
        for name in AGAIN:
            (objects / name).unlink(missing_ok=True)
    env = os.environ | HOSTILE | {"P2PBENCH_CACHE": str(own_cache)}
    done = subprocess.run(
        ["make", "linux", "VARIANT=page"],
        cwd=ROOT,
        env=env,
        text=True,
        capture_output=True,
        umask=0o077,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (own_cache / "kernels").glob("page-bench-*")
    assert built.name == kernel.expected(find_variant("page"), "bench").directory.name
    for file in ("bzImage", "System.map", "config"):
        assert file_sha256(built / file) == file_sha256(page_kernel.directory / file), file

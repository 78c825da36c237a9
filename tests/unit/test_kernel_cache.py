# SPDX-License-Identifier: GPL-2.0
"""The kernel cache: content decides, half-finished and damaged builds never count."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from p2pbench.base import lock
from p2pbench.base.errors import BenchError
from p2pbench.base.paths import BUILD, cache_dir
from p2pbench.base.tools import file_sha256
from p2pbench.linux import kernel, variants
from p2pbench.linux.variants import find_variant


@pytest.fixture
def own_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of linux/ that a test may change, and a cache that has but the base's source."""
    base = cache_dir() / "base"
    (tmp_path / "cache").mkdir()
    if base.is_dir():
        (tmp_path / "cache" / "base").symlink_to(base)
    copy = tmp_path / "linux"
    shutil.copytree(variants.LINUX, copy)
    monkeypatch.setattr(variants, "LINUX", copy)
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path / "cache"))
    return copy


def key(variant: str = "page", flavour: str = "bench") -> str:
    return kernel._key(kernel._inputs(find_variant(variant), flavour))


def test_the_same_content_has_the_same_key(own_linux: Path) -> None:
    before = key()
    (own_linux / "6.1" / "baseline" / "series").touch()
    assert key() == before


def test_each_input_changes_the_key(own_linux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {key(), key("stock"), key(flavour="debug")}
    patch = next((own_linux / "6.1" / "baseline").glob("0003-*.patch"))
    patch.write_text(patch.read_text() + "\n")
    keys.add(key())
    fragment = own_linux / "6.1" / "config" / "bench.config"
    fragment.write_text(fragment.read_text() + "# CONFIG_SWAP is not set\n")
    keys.add(key())
    monkeypatch.setattr(kernel, "compiler", lambda: "gcc 99; ld 99")
    keys.add(key())
    assert len(keys) == 6


def test_a_patch_of_one_series_does_not_change_a_variant_without_it(own_linux: Path) -> None:
    before = key("stock")
    patch = next((own_linux / "6.1" / "baseline").glob("0001-*.patch"))
    patch.write_text(patch.read_text() + "\n")
    assert key("stock") == before


def finished(own: Path) -> kernel.Kernel:
    """A cache entry as a finished build leaves it."""
    made = kernel._kernel(
        find_variant("page"), "bench", kernel._inputs(find_variant("page"), "bench")
    )
    made.directory.mkdir(parents=True)
    made.bzimage.write_bytes(b"kernel")
    (made.directory / "build.json").write_text(
        json.dumps({"bzimage_sha256": file_sha256(made.bzimage)})
    )
    return made


def test_a_finished_build_is_used_and_nothing_is_built(
    own_linux: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = finished(own_linux)
    monkeypatch.setattr(kernel, "_build", lambda *_: pytest.fail("built again"))
    assert kernel.build(find_variant("page"), "bench") == made


@pytest.mark.parametrize("damage", ["no build.json", "cut bzImage", "no bzImage"])
def test_a_damaged_build_is_built_again(
    own_linux: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    made = finished(own_linux)
    if damage == "no build.json":
        (made.directory / "build.json").unlink()
    elif damage == "cut bzImage":
        made.bzimage.write_bytes(b"kern")
    else:
        made.bzimage.unlink()
    built = []
    monkeypatch.setattr(kernel, "_build", lambda *_: built.append(1))
    kernel.build(find_variant("page"), "bench")
    assert built == [1]
    assert not made.directory.exists()


def test_every_option_that_was_refused_is_listed() -> None:
    asked = "CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\n# CONFIG_D is not set\nCONFIG_E=4\n"
    got = "CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=y\n"
    assert kernel.refused_options(asked, got) == [
        "CONFIG_B: asked for m, got y",
        "CONFIG_C: asked for n, got y",
        "CONFIG_E: asked for 4, got n",
    ]


def test_a_build_error_names_the_file_and_the_patch_that_touches_it(own_linux: Path) -> None:
    text = (
        "  CC      drivers/nvme/target/core.o\n"
        "../drivers/nvme/target/core.c:1102:9: error: 'foo' undeclared (first use)\n"
        "make[5]: *** [../scripts/Makefile.build:250: drivers/nvme/target/core.o] Error 1\n"
    )
    patches = find_variant("page").patches()
    message = kernel._build_error(patches, text, own_linux / "make.log")
    assert "core.c:1102:9: error: 'foo' undeclared" in message
    named = [patch.name for patch in patches if patch.name in message]
    assert named and all(
        "+++ b/drivers/nvme/target/core.c" in (own_linux / "6.1" / "baseline" / name).read_text()
        for name in named
    )


def test_an_unknown_variant_or_flavour_names_those_that_there_are() -> None:
    with pytest.raises(BenchError, match='unknown variant "pgae".*stock, page'):
        find_variant("pgae")
    with pytest.raises(BenchError, match='unknown flavour "fast".*bench, debug'):
        kernel.fragments(find_variant("page"), "fast")


def test_a_patch_that_is_not_in_the_series_file_is_an_error(own_linux: Path) -> None:
    (own_linux / "6.1" / "baseline" / "0099-forgotten.patch").write_text("x")
    with pytest.raises(BenchError, match="0099-forgotten.patch: not listed"):
        find_variant("page").patches()
    (own_linux / "6.1" / "baseline" / "0099-forgotten.patch").unlink()
    with (own_linux / "6.1" / "baseline" / "series").open("a") as series:
        series.write("0098-lost.patch\n")
    with pytest.raises(BenchError, match="no such patch: 0098-lost.patch"):
        find_variant("page").patches()


def test_a_cache_that_cannot_be_written_is_named(
    own_linux: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(BenchError, match="P2PBENCH_CACHE"):
        with lock.locked("kernels"):
            pass


def test_one_process_at_a_time_makes_a_tree(own_linux: Path) -> None:
    text = (
        "from p2pbench.linux import tree, variants; "
        "tree.make_tree(variants.find_variant('page'))"
    )
    environment = os.environ | {"P2PBENCH_BASE": "/nonexistent.tar.xz"}
    with lock.locked("trees", BUILD):
        other = subprocess.Popen(
            [sys.executable, "-c", text],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert other.stdout
        assert other.stdout.readline() == "waiting for another process that makes the trees\n"
    _, err = other.communicate()
    assert "P2PBENCH_BASE=/nonexistent.tar.xz: no such file" in err

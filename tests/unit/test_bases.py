# SPDX-License-Identifier: GPL-2.0
"""A base is a folder of linux/ and no Python: its package, its variants, their patches, options."""

import shutil
from pathlib import Path

import pytest

from p2pbench.base.errors import BenchError
from p2pbench.linux import kernel, variants
from p2pbench.linux.probe import read_probe
from p2pbench.linux.symbols import subsystem_of
from p2pbench.linux.tree import tree_dir
from p2pbench.linux.variants import find_variant, read_variants, releases
from p2pbench.plan.matrix_file import read_matrix

OWN = """\
[next]
series = ["own"]
rxe_p2p = true
"""
MATRIX = """\
blocks = 1

[[boots]]
variant = "page"
providers = "bar"

[[boots]]
variant = "next"
providers = "bar"

[[workloads]]
rw = "read"
bs = "4k"
runtime = "1s"
"""


@pytest.fixture
def two_bases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of linux/ with a second base beside 6.1; return the folder of the second."""
    copy = tmp_path / "linux"
    shutil.copytree(variants.LINUX, copy)
    monkeypatch.setattr(variants, "LINUX", copy)
    second = copy / "9.9"
    second.mkdir()
    shutil.copytree(copy / "6.1" / "config", second / "config")
    probe = (copy / "6.1" / "probe.toml").read_text()
    (second / "probe.toml").write_text(probe.replace('"block/" = "block"', '"blk/" = "block"'))
    text = (copy / "6.1" / "BASE").read_text()
    (second / "BASE").write_text(text.replace("linux-source-6.1", "linux-source-9.9"))
    (second / "variants.toml").write_text(OWN)
    (second / "own").mkdir()
    (second / "own" / "series").write_text("0001-a.patch\n")
    (second / "own" / "0001-a.patch").write_text("")
    return second


def test_a_second_base_needs_only_its_folder(two_bases: Path, tmp_path: Path) -> None:
    assert releases() == ["6.1", "9.9"]
    own, page = find_variant("next"), find_variant("page")
    assert (own.base.package, page.base.package) == ("linux-source-9.9", "linux-source-6.1")
    assert own.patches() == [two_bases / "own" / "0001-a.patch"]
    assert kernel.fragments(own, "bench")[0] == two_bases / "config" / "base.config"
    assert tree_dir(own).parent.name == "9.9"
    assert subsystem_of("blk/bio.o", read_probe("9.9").subsystems) == "block"
    assert subsystem_of("blk/bio.o", read_probe("6.1").subsystems) == "other"
    (tmp_path / "own.toml").write_text(MATRIX)
    planned = {boot.variant for boot in read_matrix(tmp_path / "own.toml").plan(1)}
    assert planned == {"page", "next"}


def test_no_two_variants_have_one_name(two_bases: Path) -> None:
    (two_bases / "variants.toml").write_text(OWN.replace("next", "page"))
    with pytest.raises(
        BenchError,
        match=r'9.9/variants.toml:1: variant "page" stands in ' "linux/6.1/variants.toml, too",
    ):
        read_variants()

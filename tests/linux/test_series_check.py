# SPDX-License-Identifier: GPL-2.0
"""`make series-check` says which patch is to blame, and for what."""

import shutil
from pathlib import Path

import pytest

from p2pbench.linux import series_check, tree, variants
from p2pbench.linux.variants import find_variant

FILE = "drivers/pci/p2pdma.c"
FUNCTION = """
static int __maybe_unused {name}(int a, unsigned int b)
{{
{body}
}}
"""
# What a maintainer would send back: to the compiler, to sparse, to checkpatch.
FAULTS = {
    "unused": "\tint unused;\n\n\treturn a + b;",
    "address-space": "\treturn *(int __user *)(unsigned long)(a + b);",
    "style": "\tif (a) {\n\t\treturn 0;\n\t}\n\treturn b;",
}


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> variants.Variant:
    """A variant with a patch for each fault, and one without any before and after them."""
    shutil.copytree(variants.LINUX, tmp_path / "linux")
    monkeypatch.setattr(variants, "LINUX", tmp_path / "linux")
    monkeypatch.setattr(tree, "BUILD", tmp_path / "build")
    monkeypatch.setattr(series_check, "BUILD", tmp_path / "build")
    with (tmp_path / "linux" / "6.1" / "variants.toml").open("a") as stream:
        stream.write('\n[faulty]\nseries = ["faulty"]\nrxe_p2p = false\n')
    (tmp_path / "linux" / "6.1" / "faulty").mkdir()
    (tmp_path / "linux" / "6.1" / "faulty" / "series").write_text("")
    directory = tree.make_tree(find_variant("faulty"))
    for name in ("first", *FAULTS, "last"):
        body = FAULTS.get(name, "\treturn a + b;")
        with (directory / FILE).open("a") as stream:
            stream.write(FUNCTION.format(name=f"planted_{name.replace('-', '_')}", body=body))
        tree.git(
            directory,
            "commit",
            "-q",
            "-a",
            "-s",
            "-m",
            f"PCI/P2PDMA: Plant {name}\n\nTo see it found.",
        )
    tree.export_series(find_variant("faulty"))
    return find_variant("faulty")


def test_each_planted_fault_is_found_in_its_patch_and_nowhere_else(
    planted: variants.Variant,
) -> None:
    complaints = series_check.check(planted, configs=())
    for name in FAULTS:
        assert any(f"Plant-{name}" in line for line in complaints), complaints
    blamed = {line.split(".patch", 1)[0].split("Plant-")[-1] for line in complaints}
    assert blamed == set(FAULTS), complaints

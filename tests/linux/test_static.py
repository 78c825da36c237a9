# SPDX-License-Identifier: GPL-2.0
"""What the report says of the kernels' code without booting them is what their build used."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from p2pbench.base import program
from p2pbench.linux import compare_builds, struct_sizes
from p2pbench.linux.kernel import BUILD_VARIABLES, Kernel, build
from p2pbench.linux.variants import find_variant, series_patches

# Structures that any driver sees, where its headers declare them.
PUBLIC = {
    "bio": "linux/blk_types.h",
    "bio_vec": "linux/bvec.h",
    "request": "linux/blk-mq.h",
    "request_queue": "linux/blkdev.h",
    "scatterlist": "linux/scatterlist.h",
    "device": "linux/device.h",
    "rdma_rw_ctx": "rdma/rw.h",
    "ib_device": "rdma/ib_verbs.h",
    "page": "linux/mm_types.h",
}


@pytest.fixture(scope="module")
def kernels(page_kernel: Kernel) -> dict[str, Kernel]:
    """Both kernels that the default matrix compares."""
    return {"page": page_kernel, "pageless": build(find_variant("pageless"), "bench")}


@pytest.fixture(scope="module")
def found(kernels: dict[str, Kernel]) -> dict[str, Any]:
    """The section as a run would keep it."""
    return compare_builds.collect(kernels.values())


def rows(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The structures by name."""
    return {row["name"]: row for row in found["structs"]}


@pytest.mark.parametrize("variant", ["page", "pageless"])
def test_a_module_built_for_the_kernel_sees_the_same_sizes(
    kernels: dict[str, Kernel], found: dict[str, Any], variant: str, tmp_path: Path
) -> None:
    source = "".join(f"#include <{header}>\n" for header in PUBLIC.values())
    source += "".join(
        f"static_assert(sizeof(struct {name}) == "
        f'{rows(found)[name]["bytes"][variant]}, "{name}");\n'
        for name in PUBLIC
    )
    (tmp_path / "sizes.c").write_text("#include <linux/module.h>\n" + source)
    (tmp_path / "Kbuild").write_text("obj-m := sizes.o\n")
    done = program.run(
        "make",
        "-s",
        "-C",
        kernels[variant].devel,
        f"M={tmp_path}",
        "sizes.o",
        extra=BUILD_VARIABLES,
    )
    assert done.returncode == 0, done.stderr


def test_bios_and_requests_keep_their_size(found: dict[str, Any]) -> None:
    for name in ("bio", "bio_vec", "request", "scatterlist", "page"):
        sizes = rows(found)[name]["bytes"]
        assert sizes["page"] == sizes["pageless"], name
    assert rows(found)["dma_vec"]["bytes"] == {"pageless": 16}


def test_structures_of_single_files_are_there_with_the_file_that_declares_them(
    found: dict[str, Any]
) -> None:
    for name, file in (
        ("nvmet_rdma_rsp", "drivers/nvme/target/rdma.c"),
        ("nvme_iod", "drivers/nvme/host/pci.c"),
        ("nvmet_req", "drivers/nvme/target/nvmet.h"),
        ("blk_segment_split_ctx", "block/blk-merge.c"),
    ):
        assert rows(found)[name]["file"] == file


def test_whatever_else_changes_its_size_is_listed_behind_them() -> None:
    def kept(**sizes: int) -> dict[str, Any]:
        return {name: {"file": f"{name}.h", "bytes": size} for name, size in sizes.items()}

    found = compare_builds._structs(
        {
            "page": kept(bio=120, other=8, same=4, gone=1),
            "pageless": kept(bio=120, other=16, same=4, new=1),
        },
        ["bio"],
    )
    assert found == [
        {"name": "bio", "file": "bio.h", "bytes": {"page": 120, "pageless": 120}},
        {"name": "other", "file": "other.h", "bytes": {"page": 8, "pageless": 16}},
    ]


def test_every_structure_that_a_patch_adds_is_listed(found: dict[str, Any]) -> None:
    patches = "".join(
        patch.read_text()
        for name in ("baseline", "pageless")
        for patch in series_patches("6.1", name)
    )
    added = set(re.findall(r"^\+struct (\w+) \{$", patches, re.M))
    assert "pci_p2pmem_buf" in added
    assert added <= set(rows(found))


def test_code_is_compared_from_page_to_pageless(found: dict[str, Any]) -> None:
    (code,) = found["code"]
    assert (code["from"], code["to"]) == ("page", "pageless")
    functions = {one["function"]: one for one in code["functions"]}
    assert functions["bio_add_dma_addr"]["old"] == 0 < functions["bio_add_dma_addr"]["new"]
    assert sum(one["difference"] for one in code["functions"]) == code["net_bytes"]
    assert all(one["new"] - one["old"] == one["difference"] != 0 for one in code["functions"])
    sizes = [abs(one["difference"]) for one in code["functions"]]
    assert sizes == sorted(sizes, reverse=True)


def test_the_symbols_are_those_of_the_kernel_that_boots(kernels: dict[str, Kernel]) -> None:
    kernel = kernels["pageless"]
    text = subprocess.run(
        ["nm", kernel.directory / "vmlinux.symbols"], capture_output=True, text=True, check=True
    ).stdout
    pattern = re.compile(r"^(\w+) [tT] (bio_add_dma_addr|nvmet_bdev_submit_sg)$", re.M)
    booted = (kernel.directory / "System.map").read_text()
    assert len(pattern.findall(text)) == 2
    assert pattern.findall(text) == pattern.findall(booted)


def test_a_series_is_counted_as_git_counts_it(found: dict[str, Any]) -> None:
    series = {row["name"]: row for row in found["series"]}
    assert list(series) == ["baseline", "pageless", "rfc"]
    patches = series_patches("6.1", "pageless")
    assert series["pageless"]["patches"] == len(patches)
    text = "".join(patch.read_text().split("\n---\n", 1)[1] for patch in patches)
    added = len(re.findall(r"^\+(?!\+\+ )", text, re.M))
    assert series["pageless"]["patch_insertions"] == added >= series["pageless"]["insertions"]
    assert (series["rfc"]["files"], series["rfc"]["insertions"]) == (24, 648)


def test_pahole_is_read_right_for_nested_and_flexible_structures(tmp_path: Path) -> None:
    (tmp_path / "one.c").write_text(
        "struct inner { char c; struct { long l; } in[2]; };\n"
        "struct outer { struct inner i; union { int a; long b; }; int rest[]; } x;\n"
        "struct empty { } e;\n"
    )
    (tmp_path / "objects").mkdir()
    subprocess.run(["gcc", "-g", "-c", "../one.c"], cwd=tmp_path / "objects", check=True)
    text = subprocess.run(
        ["pahole", "-I", "one.o"],
        cwd=tmp_path / "objects",
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    made = struct_sizes.parse(text)
    assert {name: one["bytes"] for name, one in made.items()} == {
        "inner": 24,
        "outer": 32,
        "empty": 0,
    }
    assert made["inner"]["file"] == "one.c"

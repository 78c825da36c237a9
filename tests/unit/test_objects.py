# SPDX-License-Identifier: GPL-2.0
"""Which function an address belongs to, and by the path of its object which subsystem."""

from dataclasses import replace
from pathlib import Path

import pytest

from p2pbench.base.errors import BenchError
from p2pbench.linux.symbols import compact, differing, largest_piece, read_functions
from p2pbench.records.counts import plain_name

MAP = """\
 .text          0xffffffff81000000      0x100 vmlinux.a(block/bio.o)
                0xffffffff81000000                bio_init
 .text.unlikely.of.a.long.name
                0xffffffff81000100       0x40 vmlinux.a(block/bio.o)
 .text          0xffffffff81000140       0x40 drivers/nvme/target/core.o
 .text          0x0000000000000000       0x40 lib/gone.o
 .data          0xffffffff82000000       0x40 block/bio.o
 .init.text     0xffffffff83000000       0x10 lib/sort.o
"""
SYSTEM = """\
0000000000000000 A fixed_percpu_data
ffffffff81000000 t bio_alias
ffffffff81000000 T bio_init
ffffffff81000080 t bio_split.part.0
ffffffff81000100 t bio_split.cold
ffffffff81000140 T nvmet_req_init
ffffffff82000000 D a_variable
ffffffff83000000 T sort
ffffffff84000000 B _end
"""


def built(tmp_path: Path, system: str = SYSTEM) -> Path:
    (tmp_path / "vmlinux.map").write_text(MAP)
    (tmp_path / "objects.map").write_text(compact(tmp_path / "vmlinux.map"))
    (tmp_path / "System.map").write_text(system)
    return tmp_path


def test_a_function_has_its_object_and_by_its_path_a_subsystem(tmp_path: Path) -> None:
    found = [
        (f.address, f.name, f.object, f.subsystem) for f in read_functions(built(tmp_path), "6.1")
    ]
    assert found == [
        (0xFFFFFFFF81000000, "bio_init", "block/bio.o", "block"),
        (0xFFFFFFFF81000080, "bio_split.part.0", "block/bio.o", "block"),
        (0xFFFFFFFF81000100, "bio_split.cold", "block/bio.o", "block"),
        (0xFFFFFFFF81000140, "nvmet_req_init", "drivers/nvme/target/core.o", "nvmet"),
        (0xFFFFFFFF83000000, "sort", "lib/sort.o", "other"),
        (0xFFFFFFFF84000000, "_end", "other", "other"),
    ]


def test_the_largest_piece_of_an_object_is_where_its_code_is(tmp_path: Path) -> None:
    hot = "".join(f"{0xffffffff81000200 + 0x10 * i:x} t hot_{i}\n" for i in range(5))
    found = read_functions(built(tmp_path, SYSTEM + hot), "6.1")
    in_pieces = [
        replace(f, object="a.o") if f.name in ("bio_init", "hot_0", "hot_1", "hot_2") else f
        for f in found
    ]
    assert largest_piece(in_pieces, "a.o") == (0xFFFFFFFF81000000, 0xFFFFFFFF81000080)
    only_hot = [f for f in in_pieces if f.name != "bio_init"]
    assert largest_piece(only_hot, "a.o") == (0xFFFFFFFF81000200, 0xFFFFFFFF81000230)
    with pytest.raises(BenchError, match="no function of b.o in this kernel"):
        largest_piece(found, "b.o")


@pytest.mark.parametrize("missing", ["System.map", "objects.map"])
def test_a_missing_map_is_named_with_the_cure(tmp_path: Path, missing: str) -> None:
    (built(tmp_path) / missing).unlink()
    with pytest.raises(BenchError, match=f"{missing}: No such file.*remove .* built again"):
        read_functions(tmp_path, "6.1")


def test_a_cut_map_is_named_with_its_line(tmp_path: Path) -> None:
    (built(tmp_path) / "System.map").write_text(SYSTEM + "ffffffff8")
    with pytest.raises(BenchError, match="System.map:10: expected an address"):
        read_functions(tmp_path, "6.1")


def test_a_kernel_without_the_linkers_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="CONFIG_VMLINUX_MAP"):
        compact(tmp_path / "vmlinux.map")
    (tmp_path / "vmlinux.map").write_text("something else\n")
    with pytest.raises(BenchError, match="is it a map of GNU ld"):
        compact(tmp_path / "vmlinux.map")


@pytest.mark.parametrize(
    "name", ["f.isra.0", "f.constprop.12", "f.part.0.isra.0", "f.cold", "f.part.3.cold"]
)
def test_what_the_compiler_appends_is_not_the_functions_name(name: str) -> None:
    assert plain_name(name) == "f"
    assert plain_name("a.part_of_it") == "a.part_of_it"


def test_what_a_build_inlined_or_renamed_is_listed(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for directory in (one, other):
        directory.mkdir()
    page = read_functions(built(one), "6.1")
    changed = (
        SYSTEM.replace("bio_split.part.0", "bio_split.isra.0")
        .replace("ffffffff81000140 T nvmet_req_init\n", "")
        .replace("T sort", "T sort_r")
    )
    rows = {
        row["function"]: row
        for row in differing(
            {"page": page, "pageless": read_functions(built(other, changed), "6.1")}
        )
    }
    assert set(rows) == {"bio_split.part.0", "bio_split.isra.0", "nvmet_req_init"}
    assert rows["nvmet_req_init"]["in"] == ["page"]
    assert rows["nvmet_req_init"]["absent"] == ["pageless"]
    assert rows["nvmet_req_init"]["as"] == {}
    assert rows["bio_split.part.0"]["as"] == {"pageless": ["bio_split.isra.0", "bio_split.cold"]}

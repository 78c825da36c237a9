"""What a matrix counts: which boots it needs, which workloads they run, and mistakes in it."""

from collections import Counter
from pathlib import Path

import pytest

from p2pbench.errors import BenchError
from p2pbench.matrix import find_matrix, matrix_from_json, read_matrix

GOOD = """\
blocks = 2

[[boots]]
variant = "page"
providers = ["host", "bar"]

[[workloads]]
rw = "randread"
bs = "4k"
runtime = "500ms"

[[counts]]
variants = ["page", "pageless"]
rw = ["randread", "randwrite"]
bs = "4k"
ios = 100
blocks = 1

[[ordinary]]
variants = ["stock", "page"]
devices = ["null_blk", "nvme"]
rw = "write"
bs = "4k"
merge = true
scheduler = ["none", "mq-deadline"]
ios = 100
"""


MEMORY = """
[[memory]]
variants = ["page"]
bars = ["64m"]
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(text)
    return path


def test_each_variant_is_booted_once_a_block_to_count_and_the_first_one_twice(
        tmp_path: Path) -> None:
    plan = read_matrix(write(tmp_path, GOOD)).plan(1)
    count = [Counter((boot.variant, boot.aa) for boot in plan
                     if boot.kind == "count" and boot.block == block) for block in range(2)]
    assert count[0] == {("page", False): 1, ("page", True): 1, ("pageless", False): 1,
                        ("stock", False): 1}
    assert count[1] == {("stock", False): 1, ("stock", True): 1, ("page", False): 1}
    names = [boot.boot for boot in plan]
    assert len(set(names)) == len(names) and "b0-page-count-aa" in names


def test_a_count_boot_runs_what_its_variant_counts_and_others_run_none_of_it(
        tmp_path: Path) -> None:
    matrix = read_matrix(write(tmp_path, GOOD))
    names = {variant: [one.name for one in matrix.workloads_for("count", variant)]
             for variant in ("stock", "page", "pageless")}
    p2p = ["count-bar-randread-4k-qd1", "count-bar-randwrite-4k-qd1"]
    others = [f"{device}-write-4k-merge-{scheduler}" for device in ("null_blk", "nvme")
              for scheduler in ("none", "mq-deadline")]
    assert names == {"stock": others, "page": p2p + others, "pageless": p2p}
    assert [one.name for one in matrix.workloads_for("bar")] == ["randread-4k-qd1"]
    assert {one.iodepth for one in matrix.workloads_for("count", "stock")} == {16}


@pytest.mark.parametrize("seed", range(5))
def test_boots_that_only_count_come_together_at_the_end_of_their_block(tmp_path: Path,
                                                                       seed: int) -> None:
    plan = read_matrix(write(tmp_path, GOOD + MEMORY)).plan(seed)
    for block, timed in enumerate((3, 2)):
        kinds = [boot.kind for boot in plan if boot.block == block]
        assert "count" not in kinds[:timed] and set(kinds[timed:]) == {"count"}
    assert [boot.index for boot in plan] == list(range(len(plan)))


def test_boots_that_count_come_in_an_order_of_the_seed(tmp_path: Path) -> None:
    matrix = read_matrix(write(tmp_path, GOOD))
    orders = {tuple((boot.variant, boot.aa) for boot in matrix.plan(seed, 1)
                    if boot.kind == "count") for seed in range(20)}
    assert len(orders) > 5
    assert matrix.plan(3) == matrix.plan(3) == matrix.plan(3, 9)[:len(matrix.plan(3))]


def test_a_resumed_run_has_the_same_counts(tmp_path: Path) -> None:
    matrix = read_matrix(write(tmp_path, GOOD))
    assert matrix_from_json(matrix.as_json()) == matrix
    assert matrix_from_json(matrix.as_json()).plan(5) == matrix.plan(5)


@pytest.mark.parametrize(("old", "new", "message"), [
    ('variants = ["page", "pageless"]', 'variants = ["stock"]', "toml:13.*no P2P client"),
    ('rw = "write"', 'rw = "randwrite"', "only neighbouring I/Os merge"),
    ("blocks = 1", "blocks = 9", "only 8 blocks"),
    ('"null_blk", "nvme"', '"sda"', 'null_blk, nvme'),
    ('"none", "mq-deadline"', '"bfq"', "none, mq-deadline"),
    ("ios = 100\nblocks", "blocks", '"ios" is missing'),
    ('bs = "4k"\nmerge', 'bs = "1000b"\nmerge', "multiple"),
])
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(BenchError, match=message):
        read_matrix(write(tmp_path, GOOD.replace(old, new, 1)))


@pytest.mark.parametrize("name", ["quick", "full"])
def test_the_matrices_count_p2p_and_what_everybody_else_pays(name: str) -> None:
    kinds = Counter(one.kind for one in read_matrix(find_matrix(name)).workloads)
    assert kinds["count"] and kinds["ordinary"]

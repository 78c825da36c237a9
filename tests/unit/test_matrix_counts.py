# SPDX-License-Identifier: GPL-2.0
"""What a matrix counts: which boots it needs, which workloads they run, and mistakes in it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from p2pbench.base.errors import BenchError
from p2pbench.measure import load
from p2pbench.measure.run import Run
from p2pbench.plan.matrix import matrix_from_json
from p2pbench.plan.matrix_file import find_matrix, read_matrix
from p2pbench.testbed import accelerators, preflight
from p2pbench.testbed.instruments import Instrument

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
    tmp_path: Path,
) -> None:
    plan = read_matrix(write(tmp_path, GOOD)).plan(1)
    count = [
        Counter(
            (boot.variant, boot.aa) for boot in plan if boot.kind == "count" and boot.block == block
        )
        for block in range(2)
    ]
    assert count[0] == {
        ("page", False): 1,
        ("page", True): 1,
        ("pageless", False): 1,
        ("stock", False): 1,
    }
    assert count[1] == {("stock", False): 1, ("stock", True): 1, ("page", False): 1}
    names = [boot.boot for boot in plan]
    assert len(set(names)) == len(names) and "b0-page-count-aa" in names


def test_a_count_boot_runs_what_its_variant_counts_and_others_run_none_of_it(
    tmp_path: Path,
) -> None:
    matrix = read_matrix(write(tmp_path, GOOD))
    names = {
        variant: [one.name for one in matrix.workloads_for("count", variant)]
        for variant in ("stock", "page", "pageless")
    }
    p2p = ["count-bar-randread-4k-qd1", "count-bar-randwrite-4k-qd1"]
    others = [
        f"{device}-write-4k-merge-{scheduler}"
        for device in ("null_blk", "nvme")
        for scheduler in ("none", "mq-deadline")
    ]
    assert names == {"stock": others, "page": p2p + others, "pageless": p2p}
    assert [one.name for one in matrix.workloads_for("bar")] == ["randread-4k-qd1"]
    assert {one.iodepth for one in matrix.workloads_for("count", "stock")} == {16}


@pytest.mark.parametrize("seed", range(5))
def test_boots_that_only_count_come_together_at_the_end_of_their_block(
    tmp_path: Path, seed: int
) -> None:
    plan = read_matrix(write(tmp_path, GOOD + MEMORY)).plan(seed)
    for block, timed in enumerate((3, 2)):
        kinds = [boot.kind for boot in plan if boot.block == block]
        assert "count" not in kinds[:timed] and set(kinds[timed:]) == {"count"}
    assert [boot.index for boot in plan] == list(range(len(plan)))


def test_boots_that_count_come_in_an_order_of_the_seed(tmp_path: Path) -> None:
    matrix = read_matrix(write(tmp_path, GOOD))
    orders = {
        tuple((boot.variant, boot.aa) for boot in matrix.plan(seed, 1) if boot.kind == "count")
        for seed in range(20)
    }
    assert len(orders) > 5
    assert matrix.plan(3) == matrix.plan(3) == matrix.plan(3, 9)[: len(matrix.plan(3))]


def test_a_resumed_run_has_the_same_counts(tmp_path: Path) -> None:
    matrix = read_matrix(write(tmp_path, GOOD))
    assert matrix_from_json(matrix.as_json()) == matrix
    assert matrix_from_json(matrix.as_json()).plan(5) == matrix.plan(5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('variants = ["page", "pageless"]', 'variants = ["stock"]', "toml:13.*no P2P client"),
        ('rw = "write"', 'rw = "randwrite"', "only neighbouring I/Os merge"),
        ("blocks = 1", "blocks = 9", "only 8 blocks"),
        ('"null_blk", "nvme"', '"sda"', "null_blk, nvme"),
        ('"none", "mq-deadline"', '"bfq"', "none, mq-deadline"),
        ("ios = 100\nblocks", "blocks", '"ios" is missing'),
        ('bs = "4k"\nmerge', 'bs = "1000b"\nmerge', "multiple"),
        (
            "ios = 100\nblocks",
            'providers = ["host", "bar"]\ncmb_sqes = true\nios = 100\nblocks',
            "toml:17: queues in the CMB are a variation of the providers cmb and bar, not of host",
        ),
        (
            '["page", "pageless"]',
            '["stock"]\nproviders = ["host", "bar"]',
            "toml:13.*no P2P client",
        ),
        ("ios = 100\nblocks", "iodepth = [1, 65]\nios = 100\nblocks", "iodepth"),
        (
            "ios = 100\nblocks",
            "iodepth = [1, 16]\nios = 100\nblocks",
            "found 100; a multiple of iodepth = 16 is allowed",
        ),
        (
            'bs = "4k"\nios',
            'bs = "32m"\nios',
            'found "32m"; what is counted has blocks of at most 16m',
        ),
        ("ios = 100\nblocks", 'scheduler = "bfq"\nios = 100\nblocks', "none, mq-deadline"),
        ("blocks = 2", 'blocks = 2\nvirtual_time = "maybe"', "toml:2: .*wanted, required"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(BenchError, match=message):
        read_matrix(write(tmp_path, GOOD.replace(old, new, 1)))


def test_host_memory_is_counted_of_any_kernel(tmp_path: Path) -> None:
    text = GOOD.replace('["page", "pageless"]', '["stock", "page"]\nproviders = "host"')
    matrix = read_matrix(write(tmp_path, text))
    assert [one.name for one in matrix.workloads_for("count", "stock") if one.kind == "count"] == [
        "count-host-randread-4k-qd1",
        "count-host-randwrite-4k-qd1",
    ]


def test_queues_in_the_cmb_are_counted_in_boots_of_their_own(tmp_path: Path) -> None:
    text = GOOD.replace(
        "ios = 100\nblocks",
        'providers = ["bar", "cmb"]\niodepth = [1, 16]\n'
        'scheduler = ["none", "mq-deadline"]\ncmb_sqes = [false, true]\n'
        "ios = 112\nblocks",
    )
    matrix = read_matrix(write(tmp_path, text))
    names = {
        provider: [one.name for one in matrix.workloads_for(provider, "pageless")]
        for provider in ("count", "count+sqes")
    }
    for provider, sqes in (("count", ""), ("count+sqes", "+sqes")):
        assert names[provider] == [
            f"count-{device}{sqes}-{rw}-4k-qd{depth}{scheduler}"
            for device in ("bar", "cmb")
            for scheduler in ("", "-mq-deadline")
            for rw in ("randread", "randwrite")
            for depth in (1, 16)
        ]
    boots = [boot.boot for boot in matrix.plan(1) if boot.block == 0 and boot.kind == "count"]
    assert sorted(boots) == [
        "b0-page-count",
        "b0-page-count+sqes",
        "b0-page-count+sqes-aa",
        "b0-page-count-aa",
        "b0-pageless-count",
        "b0-pageless-count+sqes",
        "b0-stock-count",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("", "", ""),
        ("ios = 100\nblocks", "ios = 32\nblocks", ""),
        (
            "ios = 100\nblocks",
            "ios = 31\nblocks",
            "toml:1: virtual_time: count-bar-randread-4k-qd1 has ios = 31, which is too few to be "
            "timed; at least 32 is allowed",
        ),
        (
            GOOD[GOOD.index("[[counts]]") : GOOD.index("[[ordinary]]")],
            "",
            r"toml:1: virtual_time: nothing could be timed in it, there is no \[\[counts\]\]",
        ),
    ],
)
def test_virtual_time_can_only_be_required_of_what_can_be_timed(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    """A matrix that does not require it is run all the same."""
    assert read_matrix(write(tmp_path, GOOD.replace(old, new, 1))).virtual_time == "wanted"
    path = write(tmp_path, 'virtual_time = "required"\n' + GOOD.replace(old, new, 1))
    if message:
        with pytest.raises(BenchError, match=message):
            read_matrix(path)
    else:
        assert read_matrix(path).virtual_time == "required"


def test_what_is_counted_and_not_timed_is_told_before_it_runs(tmp_path: Path) -> None:
    text = GOOD.replace("ios = 100\nblocks", "ios = {}\nblocks")
    notes = [load.count_notes(read_matrix(write(tmp_path, text.format(ios)))) for ios in (31, 32)]
    assert notes == [
        [
            f"count-bar-{rw}-4k-qd1 has 31 I/Os: with fewer than 32 it is counted, and "
            "not timed in virtual time"
            for rw in ("randread", "randwrite")
        ],
        [],
    ]


def test_a_run_that_requires_virtual_time_is_refused_where_there_is_none(tmp_path: Path) -> None:
    without = Instrument("insncount", real_time="QEMU 5 does not take -icount")
    for required in (False, True):
        run = Run.new(write(tmp_path, 'virtual_time = "required"\n' * required + GOOD), 1)
        run._check_virtual_time(replace(without, icount="shift=0,sleep=off"))
        if not required:
            run._check_virtual_time(without)
            continue
        with pytest.raises(
            BenchError,
            match="own.toml requires virtual time, and there is none "
            "here: QEMU 5 does not take -icount; make that work",
        ):
            run._check_virtual_time(without)


def test_it_is_refused_before_a_kernel_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(_variant: object, _flavour: object) -> None:
        raise AssertionError("a kernel was built")

    monkeypatch.setattr(
        accelerators, "asked", lambda: accelerators.Accelerator("kvm", "asked for by ACCEL")
    )
    monkeypatch.setattr(preflight, "check", lambda _kernels: None)
    monkeypatch.setattr("p2pbench.measure.run.build", build)
    run = Run.new(write(tmp_path, 'virtual_time = "required"\n' + GOOD), 1)
    with pytest.raises(BenchError, match="none here: a guest under kvm keeps the host's time"):
        run.prepare(run.remaining())


def test_each_metric_has_a_margin_and_a_matrix_may_say_another(tmp_path: Path) -> None:
    usual = {"virtual": 0.005, "latency": 0.02, "throughput": 0.02, "instructions": 0.005}
    assert read_matrix(write(tmp_path, GOOD)).margins == usual
    text = GOOD + '\n[margins]\nvirtual = "0.25%"\nlatency = "1%"\n'
    assert read_matrix(write(tmp_path, text)).margins == usual | {
        "virtual": 0.0025,
        "latency": 0.01,
    }


@pytest.mark.parametrize("name", ["quick", "full"])
def test_the_matrices_count_p2p_and_what_everybody_else_pays(name: str) -> None:
    kinds = Counter(one.kind for one in read_matrix(find_matrix(name)).workloads)
    assert kinds["count"] and kinds["ordinary"]

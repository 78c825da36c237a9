# SPDX-License-Identifier: GPL-2.0
"""A matrix file is read, checked and planned; a mistake is named by file, line and cure."""

from collections import Counter
from pathlib import Path

import pytest

from p2pbench.base.errors import BenchError
from p2pbench.measure import load
from p2pbench.measure.boot import boot_cmdline
from p2pbench.measure.fio import job_file
from p2pbench.measure.run import Run
from p2pbench.plan.matrix import matrix_from_json
from p2pbench.plan.matrix_file import find_matrix, read_matrix
from p2pbench.testbed.config import read_shape
from p2pbench.testbed.qemu import Guest

GOOD = """\
blocks = 4

[[boots]]
variant = "stock"
providers = ["host"]

[[boots]]
variant = "page"
providers = ["host", "bar"]

[[workloads]]
rw = ["randread", "randwrite"]
bs = ["4k", "128k"]
iodepth = [1, 16]
runtime = "500ms"

[[compare]]
name = "p2p"
title = "peer against host memory"
baseline = "page/host"
candidate = "page/bar"
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(text)
    return path


def test_a_file_as_windows_saves_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_matrix(path).blocks == 4


def test_lists_multiply_into_workloads_with_units_resolved(tmp_path: Path) -> None:
    matrix = read_matrix(write(tmp_path, GOOD))
    assert [workload.name for workload in matrix.workloads] == [
        "randread-4k-qd1",
        "randread-4k-qd16",
        "randread-128k-qd1",
        "randread-128k-qd16",
        "randwrite-4k-qd1",
        "randwrite-4k-qd16",
        "randwrite-128k-qd1",
        "randwrite-128k-qd16",
    ]
    assert matrix.workloads[2].bs == 131072
    assert matrix.workloads[0].runtime_s == 0.5


def test_every_block_holds_every_pair_once_and_the_seed_gives_the_order(tmp_path: Path) -> None:
    matrix = read_matrix(write(tmp_path, GOOD))
    plan = matrix.plan(7)
    for block in range(4):
        assert Counter(
            (boot.variant, boot.provider) for boot in plan if boot.block == block
        ) == Counter({("stock", "host"): 1, ("page", "host"): 1, ("page", "bar"): 1})
    assert [boot.index for boot in plan] == list(range(12))
    assert plan == matrix.plan(7)
    assert any(matrix.plan(seed) != plan for seed in range(8, 12))


def test_the_order_within_blocks_is_not_always_the_same(tmp_path: Path) -> None:
    plan = read_matrix(write(tmp_path, GOOD)).plan(1)
    orders = {
        tuple((boot.variant, boot.provider) for boot in plan if boot.block == block)
        for block in range(4)
    }
    assert len(orders) > 1


def test_a_matrix_survives_the_journal(tmp_path: Path) -> None:
    import json

    matrix = read_matrix(write(tmp_path, GOOD))
    assert matrix_from_json(json.loads(json.dumps(matrix.as_json()))) == matrix


@pytest.mark.parametrize(
    "name, with_fio",
    [("smoke", {"host", "cmb", "bar"}), ("quick", {"bar"}), ("full", {"host", "cmb", "bar"})],
)
def test_the_matrices_of_the_repository_verify_data(name: str, with_fio: set[str]) -> None:
    verified: dict[str, set[str]] = {"fio": set(), "pattern": set()}
    for workload in read_matrix(find_matrix(name)).workloads:
        if workload.verify:
            # A workload of a boot that counts names its provider as its device.
            verified[workload.kind] |= (
                {workload.device} if workload.device else set(workload.providers)
            )
    assert verified["pattern"] >= {"host", "cmb", "bar"} and verified["fio"] >= with_fio


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("blocks = 4", "blokcs = 4", 1, ['"blokcs"', 'did you mean "blocks"']),
        ("blocks = 4", "blocks = 0", 1, ["found 0", "at least 1"]),
        ("blocks = 4", "blocks = ", 1, ["not valid TOML"]),
        ('variant = "stock"', 'variant = "stok"', 4, ['"stok"', "stock, page"]),
        ('"host", "bar"', '"host", "cmbb"', 9, ['"cmbb"', "host, cmb, bar"]),
        ('providers = ["host"]', 'providers = ["bar"]', 5, ['"stock"', "no P2P client"]),
        ('"4k", "128k"', '"4", "128k"', 13, ['"4"', "a size with a unit"]),
        ('"4k", "128k"', "4096", 13, ["4096", "a size with a unit"]),
        ("iodepth = [1, 16]", "iodepth = [1, -16]", 14, ["-16", "at least 1"]),
        ("iodepth = [1, 16]", "iodepth = [1, 1]", 14, ["stands twice"]),
        ("iodepth = [1, 16]", "iodepht = [1, 16]", 14, ['"iodepht"', 'did you mean "iodepth"']),
        ('runtime = "500ms"', 'runtime = "500"', 15, ['"500"', "a time with a unit"]),
        ('runtime = "500ms"', "", 11, ['"runtime"', "missing"]),
        ('runtime = "500ms"', 'verify = "crc32c"', 12, ["a workload that writes"]),
        ('"4k", "128k"', '"4K"', 13, ['"4K"', "b, k, m or g in lower case", 'such as "4k"']),
        ('"4k", "128k"', '"64 KiB"', 13, ['"64 KiB"', "powers of 1024", 'such as "64k"']),
        ('"4k", "128k"', '"1t"', 13, ['"1t"', "b, k, m or g", 'such as "1024g"']),
        (
            'runtime = "500ms"',
            'runtime = "0.1ms"',
            15,
            ['"0.1ms"', "whole milliseconds", "at least 1"],
        ),
        ('runtime = "500ms"', 'runtime = "1.4ms"', 15, ['"1.4ms"', "whole milliseconds"]),
        ('runtime = "500ms"', 'runtime = "0.00001m"', 15, ['"0.00001m"', "at least 1"]),
        ('runtime = "500ms"', 'runtime = "0s"', 15, ['"0s"', "at least 1"]),
        ('runtime = "500ms"', 'runtime = "2S"', 15, ['"2S"', "ms, s or m in lower case"]),
        (
            'runtime = "500ms"',
            'runtime = "1s"\nramp_time = "10s"',
            16,
            ['fio\'s option "ramp_time" is not supported (allowed: rw, bs, iodepth'],
        ),
        (
            'runtime = "500ms"',
            'runtime = "1s"\niodepth_batch = 4',
            16,
            ['fio\'s option "iodepth_batch" is not supported'],
        ),
        ('bs = ["4k", "128k"]', 'blocksize = "4k"', 13, ['write "bs" for fio\'s "blocksize"']),
        ('variant = "stock"', 'variant = ["stock"]', 4, ["a string is allowed"]),
        ('variant = "stock"', 'variant = "page@0099"', 4, ["no patch 0099"]),
        ('"4k", "128k"', '"256b"', 13, ['"256b"', "512 bytes"]),
        ("iodepth = [1, 16]", "iodepth = 1000000000", 14, ["at most 1024"]),
        (
            'runtime = "500ms"',
            'runtime = "1s"\nproviders = "cmb"',
            16,
            ['no boot of this matrix has provider "cmb"'],
        ),
        (
            'rw = ["randread", "randwrite"]',
            'rw = "write"\nverify = "crc32c"\nnumjobs = 2',
            14,
            ["cannot verify"],
        ),
        ('candidate = "page/bar"', 'candidate = "page/cmb"', 21, ['"page/cmb"', "page/bar"]),
        ('candidate = "page/bar"', 'candidate = "bar"', 21, ["'bar'", "variant/provider"]),
    ],
)
def test_a_mistake_is_named_by_file_line_found_and_allowed(
    tmp_path: Path, old: str, new: str, line: int, words: list[str]
) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(BenchError) as caught:
        read_matrix(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    for word in words:
        assert word in str(caught.value)


def test_an_unknown_option_of_fio_is_no_near_miss(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("runtime", 'runtime = "1s"\nramp_time'))
    with pytest.raises(BenchError) as caught:
        read_matrix(path)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("1ms", 0.001), ("0.5s", 0.5), ("1.4s", 1.4), ("0.25m", 15.0), ("1.000s", 1.0)],
)
def test_a_runtime_is_asked_of_fio_as_it_was_given(
    tmp_path: Path, given: str, seconds: float
) -> None:
    matrix = read_matrix(write(tmp_path, GOOD.replace("500ms", given)))
    assert matrix.workloads[0].runtime_s == seconds
    assert f"runtime={seconds * 1000:.0f}ms\n" in job_file(matrix.workloads[0], 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            'blocks = 1\nboots = []\n[[workloads]]\nrw = "read"\nbs = "4k"\nruntime = "1s"\n',
            "boots is empty",
        ),
        (
            'blocks = 1\nworkloads = []\n[[boots]]\nvariant = "page"\nproviders = "host"\n',
            "workloads is empty",
        ),
        ("blocks = 1\nboots = [3]\nworkloads = []\n", "write .* boots"),
    ],
)
def test_a_matrix_in_which_nothing_would_run_is_a_mistake(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(BenchError, match=words.replace(" boots", r"\[\[boots\]\]")):
        read_matrix(write(tmp_path, text))


def test_an_unknown_matrix_names_those_that_there_are() -> None:
    with pytest.raises(BenchError, match=r'no matrix "qick".*quick'):
        find_matrix("qick")


def test_an_aa_cell_is_booted_twice_in_every_block(tmp_path: Path) -> None:
    plan = read_matrix(write(tmp_path, 'aa = "page/bar"\n' + GOOD)).plan(7)
    again = [boot for boot in plan if boot.aa]
    assert [boot.boot for boot in again] == [f"b{block}-page-bar-aa" for block in range(4)]
    assert len(plan) == 16


FEWER = GOOD.replace('providers = ["host", "bar"]', 'providers = ["host", "bar"]\nblocks = 2')


def test_boots_of_the_first_blocks_are_in_no_other_and_neither_are_their_aa_boots(
    tmp_path: Path,
) -> None:
    matrix = read_matrix(write(tmp_path, 'aa = ["page/bar", "stock/host"]\n' + FEWER))
    cells = [
        Counter(
            (boot.variant, boot.provider, boot.aa)
            for boot in matrix.plan(7, 16)
            if boot.block == block
        )
        for block in range(16)
    ]
    always = [("stock", "host", False), ("stock", "host", True)]
    early = [("page", "host", False), ("page", "bar", False), ("page", "bar", True)]
    assert cells[:2] == [Counter(always + early)] * 2
    assert cells[2:] == [Counter(always)] * 14
    assert matrix.plan(7, 16)[:14] == matrix.plan(7)


def test_a_number_of_blocks_survives_the_journal_and_older_ones_have_none(tmp_path: Path) -> None:
    matrix = read_matrix(write(tmp_path, FEWER))
    assert matrix.first_blocks == {"page/host": 2, "page/bar": 2}
    assert set(map(tuple, matrix.as_json()["boots"])) == {("variant", "provider")}
    again = matrix_from_json(matrix.as_json())
    assert again == matrix and again.plan(5) == matrix.plan(5)
    older = {key: value for key, value in matrix.as_json().items() if key != "first_blocks"}
    assert len(matrix_from_json(older).plan(5)) == 12


def test_more_blocks_than_a_budget_may_come_to_are_a_mistake(tmp_path: Path) -> None:
    path = write(tmp_path, FEWER.replace("blocks = 2", "blocks = 17"))
    with pytest.raises(BenchError, match="own.toml:10: the matrix has only 16 blocks"):
        read_matrix(path)
    assert read_matrix(write(tmp_path, FEWER.replace("blocks = 2", "blocks = 16"))).plan(1)


def test_a_longer_plan_begins_with_the_shorter_one(tmp_path: Path) -> None:
    matrix = read_matrix(write(tmp_path, GOOD))
    assert matrix.most_blocks == 16
    assert matrix.plan(7, 16)[:12] == matrix.plan(7)


@pytest.mark.parametrize(
    ("top", "words"),
    [
        ('aa = "page/cmb"', 'aa: this matrix does not boot "page/cmb" (stock/host, page/host'),
        ('aa = "page"', "aa: found 'page'; \"variant/provider\" is allowed"),
        ("most_blocks = 3", "most_blocks: found 3; at least the matrix's blocks, 4"),
    ],
)
def test_what_is_run_twice_or_longer_is_checked(tmp_path: Path, top: str, words: str) -> None:
    path = write(tmp_path, f"{top}\n{GOOD}")
    with pytest.raises(BenchError) as caught:
        read_matrix(path)
    assert f"{path}:1: " in str(caught.value) and words in str(caught.value)


def test_a_compare_with_itself_is_told_of_aa(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace('candidate = "page/bar"', 'candidate = "page/host"'))
    with pytest.raises(BenchError, match=r"21: candidate: the same as baseline; write aa = "):
        read_matrix(path)


@pytest.mark.parametrize("name", ["quick", "full"])
def test_the_matrices_that_measure_run_something_against_itself(name: str) -> None:
    assert any(boot.aa for boot in read_matrix(find_matrix(name)).plan(1))


def test_workloads_that_the_guest_cannot_hold_are_refused_when_they_are_planned(
    tmp_path: Path,
) -> None:
    shape = read_shape("qemu")
    large = GOOD.replace("iodepth = [1, 16]", "numjobs = 64\niodepth = 1024")
    matrix = read_matrix(write(tmp_path, large.replace('"4k", "128k"', '"4k", "1m"')))
    with pytest.raises(
        BenchError,
        match=r"own.toml: randread-1m-qd1024-j64 needs 64.0 GiB for "
        r"its requests \(numjobs x iodepth x bs\), the guest .* has 1.00 GiB",
    ):
        load.check(matrix, shape)
    matrix = read_matrix(write(tmp_path, GOOD.replace("iodepth", 'size = "512m"\niodepth')))
    with pytest.raises(BenchError, match="randread-4k-qd1 wants 512m, the disk of testbed qemu"):
        load.check(matrix, shape)
    load.check(read_matrix(write(tmp_path, GOOD)), shape)


def test_a_bar_that_the_testbed_cannot_make_is_refused_in_its_words(tmp_path: Path) -> None:
    largest = '\n[[memory]]\nvariants = "page"\nbars = "{}"\n'
    Run.new(write(tmp_path, GOOD + largest.format("512g")), 1)
    with pytest.raises(
        BenchError,
        match=r"own.toml: a BAR of 1024g: testbed qemu has BARs of at "
        r"most 512g \(TCG has 40 bits of physical address\)",
    ):
        Run.new(write(tmp_path, GOOD + largest.format("1024g")), 1)


def test_requests_that_a_pool_cannot_hold_at_once_are_told(tmp_path: Path) -> None:
    shape = read_shape("qemu")
    text = GOOD.replace("[1, 16]", "[64, 128]").replace('"4k", "128k"', '"4k", "4m"')
    notes = load.pool_notes(read_matrix(write(tmp_path, text)), shape)
    assert notes == [
        f"{rw}-4m-qd128 has 512 MiB in flight, the pool of bar is 256 MiB: nvmet may "
        "fall back to host memory, and the cell is then invalid"
        for rw in ("randread", "randwrite")
    ]
    assert not load.pool_notes(read_matrix(write(tmp_path, GOOD)), shape)


SQES = GOOD.replace(
    'providers = ["host", "bar"]\n',
    'providers = ["host", "bar"]\n\n[[boots]]\n'
    'variant = "page"\nproviders = "bar"\ncmb_sqes = true\n',
)


def test_queues_in_the_cmb_are_a_provider_of_their_own_name(tmp_path: Path) -> None:
    matrix = read_matrix(write(tmp_path, SQES))
    assert {boot.boot for boot in matrix.plan(1) if boot.block == 0} == {
        "b0-stock-host",
        "b0-page-host",
        "b0-page-bar",
        "b0-page-bar+sqes",
    }
    assert matrix.workloads_for("bar+sqes") == matrix.workloads_for("bar") != []
    assert "nvme.use_cmb_sqes=1" in boot_cmdline("bar+sqes")
    assert "nvme.use_cmb_sqes=0" in boot_cmdline("bar")
    assert Guest.setup_args("bar+sqes")["provider"] == "bar"


def test_host_memory_has_no_variation_with_queues_in_the_cmb(tmp_path: Path) -> None:
    text = GOOD.replace(
        'providers = ["host", "bar"]', 'providers = ["host", "bar"]\ncmb_sqes = [false, true]'
    )
    with pytest.raises(BenchError, match=r"own.toml:10: .*not of host"):
        read_matrix(write(tmp_path, text))


MEMORY = '\n[[memory]]\nvariants = ["page"]\nbars = ["64m", "512g"]\n'


def test_a_memory_boot_registers_a_bar_of_its_size(tmp_path: Path) -> None:
    plan = read_matrix(write(tmp_path, GOOD + MEMORY)).plan(1)
    assert sorted((boot.boot, boot.bar) for boot in plan if boot.bar) == [
        ("b0-page-memory-512g", 512 << 30),
        ("b0-page-memory-64m", 64 << 20),
    ]


@pytest.mark.parametrize("size", ["512k", "3g"])
def test_a_bar_that_no_guest_can_have_is_a_mistake(tmp_path: Path, size: str) -> None:
    with pytest.raises(BenchError, match=r"own.toml:25: .*power of two, 1m at least"):
        read_matrix(write(tmp_path, GOOD + MEMORY.replace("512g", size)))


@pytest.mark.parametrize(
    ("name", "bars"),
    [
        ("quick", [64 << 20, 1 << 30, 16 << 30, 64 << 30]),
        ("full", [*(64 << 20 << 2 * step for step in range(7)), 512 << 30]),
    ],
)
def test_the_memory_curve_of_both_kernels_begins_at_64_mib(name: str, bars: list[int]) -> None:
    curve = read_matrix(find_matrix(name)).memory
    for variant in ("page", "pageless"):
        assert sorted(entry["bar"] for entry in curve if entry["variant"] == variant) == bars

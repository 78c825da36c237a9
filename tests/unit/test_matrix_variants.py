# SPDX-License-Identifier: GPL-2.0
"""A matrix's own variants: kernels of variants.toml with parameters on their command line."""

import json
from pathlib import Path

import pytest

from p2pbench.base.errors import BenchError
from p2pbench.plan.matrix import Matrix, matrix_from_json
from p2pbench.plan.matrix_file import read_matrix

OWN = """\
[variants.longer]
kernel = "page"
cmdline = "nvmet.planted_rounds=466 quiet"

[variants.part]
kernel = "pageless@0018"
cmdline = "nvme.poll_queues=1"
"""
GOOD = f"""\
blocks = 2
aa = "longer/bar"

{OWN}
[[boots]]
variant = "page"
providers = ["host", "bar"]

[[boots]]
variant = "longer"
providers = "bar"

[[workloads]]
rw = "randread"
bs = "4k"
runtime = "500ms"

[[memory]]
variants = ["longer"]
bars = "64m"

[[counts]]
variants = ["page", "longer", "part"]
rw = "randread"
bs = "4k"
ios = 100

[[ordinary]]
variants = ["stock", "part"]
devices = "null_blk"
rw = "read"
bs = "4k"
ios = 100

[[compare]]
name = "loss"
title = "with parameters against without"
baseline = "page/bar"
candidate = "longer/bar"
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(text)
    return path


def matrix_of(tmp_path: Path) -> Matrix:
    return read_matrix(write(tmp_path, GOOD))


def test_such_a_variant_stands_wherever_a_variant_may(tmp_path: Path) -> None:
    matrix = matrix_of(tmp_path)
    boots = {boot.boot for boot in matrix.plan(1) if boot.block == 0}
    assert {
        "b0-longer-bar",
        "b0-longer-bar-aa",
        "b0-longer-memory-64m",
        "b0-longer-count",
        "b0-part-count",
        "b0-stock-count",
    } < boots
    assert [one.candidate["variant"] for one in matrix.compare] == ["longer"]
    names = [one.name for one in matrix.workloads_for("count", "part")]
    assert names == ["count-bar-randread-4k-qd1", "null_blk-read-4k-none"]


def test_a_variant_boots_its_kernel_with_its_parameters(tmp_path: Path) -> None:
    matrix = matrix_of(tmp_path)
    kernels = {name: matrix.kernel_of(name) for name in ("page", "longer", "part")}
    assert kernels == {"page": "page", "longer": "page", "part": "pageless@0018"}
    assert matrix.cmdline_of("longer") == "nvmet.planted_rounds=466 quiet"
    assert matrix.cmdline_of("page") == ""


def test_a_resumed_run_has_the_same_variants(tmp_path: Path) -> None:
    matrix = matrix_of(tmp_path)
    kept = json.loads(json.dumps(matrix.as_json()))
    assert matrix_from_json(kept) == matrix
    del kept["variants"]  # as in a journal of before there were any
    assert matrix_from_json(kept).kernel_of("page") == "page"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kernel = "page"', 'kernel = "pages"', 'toml:5: kernel: unknown variant "pages"'),
        ('"pageless@0018"', '"pageless@0099"', "toml:9: kernel: .*has no patch 0099"),
        ('kernel = "page"\n', "", 'toml:4: key "kernel" is missing'),
        ('cmdline = "nvme.poll_queues=1"\n', "", 'toml:8: key "cmdline" is missing'),
        ("cmdline", "cmd_line", 'toml:6: unknown key "cmd_line"; did you mean "cmdline"'),
        ("nvme.poll_queues=1", "", "toml:10: cmdline: .*a string is allowed"),
        ("nvme.poll_queues=1", " ", "toml:10: cmdline: found ' '; kernel parameters are allowed"),
        ("nvme.poll_queues=1", "a=1\\nb=2", r"toml:10: cmdline: found 'a=1\\nb=2'; kernel param"),
        (
            "nvme.poll_queues=1",
            "größe=1",
            "toml:10: cmdline: .*at most 1024 characters of printable",
        ),
        ("nvme.poll_queues=1", "a" * 1025, "toml:10: cmdline: .*at most 1024 characters"),
        (
            "[variants.part]",
            "[variants.stock]",
            'toml:8: variant "stock": linux/6.1/variants.toml has',
        ),
        ("[variants.part]", '[variants."a/b"]', 'toml:8: variant "a/b": at most 64 letters'),
        ("[variants.part]", "[variants.-a]", 'toml:8: variant "-a": at most 64 letters'),
        ("[variants.part]", f"[variants.{'a' * 65}]", 'toml:8: variant "a*": at most 64 letters'),
        (OWN, "[[variants]]\n", r"toml:4: write \[variants.NAME\]"),
        (OWN, "[variants]\nlonger = 1\n", r"toml:5: write \[variants.longer\]"),
        (
            '["page", "longer", "part"]',
            '["page", "shorter"]',
            'toml:30: variants: unknown variant "shorter".*; the matrix defines: longer, part',
        ),
        (
            'kernel = "page"',
            'kernel = "stock"',
            'toml:18: variant "longer" cannot use provider "bar"',
        ),
        ('"pageless@0018"', '"stock"', 'toml:30: variant "part" cannot use peer memory'),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(BenchError, match=message):
        read_matrix(write(tmp_path, GOOD.replace(old, new, 1)))

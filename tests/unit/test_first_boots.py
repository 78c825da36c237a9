# SPDX-License-Identifier: GPL-2.0
"""Boots that only count come first while kernels are still being built, and no others."""

from pathlib import Path

import pytest

from p2pbench.linux.kernel import Kernel
from p2pbench.linux.variants import find_variant
from p2pbench.measure.run import Run
from p2pbench.plan.matrix_file import find_matrix
from p2pbench.records.kinds import COUNT


def run_with(cached: set[str], directory: Path, budget_s: float | None = None) -> Run:
    """Return a run of quick whose kernels are those in a cache, in the order of their building."""
    run = Run.new(find_matrix("quick"), 1, budget_s)
    for name in ("stock", "page", "pageless"):
        kernel = Kernel(find_variant(name), "bench", "key", directory / name)
        if name in cached:
            kernel.directory.mkdir()
        run.kernels[name] = kernel
    return run


@pytest.mark.parametrize(
    ("cached", "first"),
    [
        (set(), ["stock", "page"]),
        ({"stock"}, ["stock", "page"]),
        ({"page"}, ["page", "stock"]),
        ({"page", "pageless"}, ["page", "pageless"]),
        ({"stock", "page", "pageless"}, []),
    ],
)
def test_the_first_boots_have_their_kernels_before_the_last_one_is_built(
    cached: set[str], first: list[str], tmp_path: Path
) -> None:
    run = run_with(cached, tmp_path)
    boots = run.boots_beside_builds(run.plan)
    assert list(dict.fromkeys(boot.variant for boot in boots)) == first


def test_all_that_have_the_last_kernel_wait_for_it(tmp_path: Path) -> None:
    run = run_with({"stock"}, tmp_path)
    run.kernels["page"] = run.kernels["pageless"]
    boots = run.boots_beside_builds(run.plan)
    assert {boot.variant for boot in boots} == {"stock"}


def test_a_boot_that_takes_the_time_of_something_waits_until_all_is_built(tmp_path: Path) -> None:
    run = run_with(set(), tmp_path)
    boots = run.boots_beside_builds(run.plan)
    assert {boot.kind for boot in boots} == {COUNT}
    wanted = [boot for boot in run.plan if boot.kind == COUNT and boot.variant != "pageless"]
    assert sorted(boots, key=lambda boot: boot.index) == wanted


def test_a_boot_that_is_none_of_the_first_waits_although_its_own_kernel_is_there(
    tmp_path: Path,
) -> None:
    """It may be the last one, and what is known of all kernels is written before it."""
    run = run_with(set(), tmp_path)
    run.first = run.boots_beside_builds(run.plan)
    assert not run.may_begin(run.first[0])
    for kernel in run.kernels.values():
        kernel.directory.mkdir()
    assert all(run.may_begin(boot) for boot in run.first)
    rest = [boot for boot in run.plan if boot not in run.first]
    assert COUNT in {boot.kind for boot in rest} and not any(map(run.may_begin, rest))


def test_a_run_with_a_budget_keeps_the_order_of_its_blocks(tmp_path: Path) -> None:
    run = run_with(set(), tmp_path, budget_s=3600)
    assert run.boots_beside_builds(run.plan) == []


def test_a_run_that_counts_nothing_has_no_first_boots(tmp_path: Path) -> None:
    run = run_with(set(), tmp_path)
    timed = [boot for boot in run.plan if boot.kind != COUNT]
    assert run.boots_beside_builds(timed) == []

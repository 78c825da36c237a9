# SPDX-License-Identifier: GPL-2.0
"""Losses of known size are found in virtual time, and none where there is none, on real boots.

What each boot was slowed down by is not taken from the matrix's names: it is computed from the
rounds on its kernel's command line and from what was counted in it.
"""

import json
import os
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from p2pbench.analysis.questions import questions
from p2pbench.analysis.samples import Samples
from p2pbench.analysis.verdicts import Comparison, answers, compare_all
from p2pbench.base.lock import locked
from p2pbench.linux.kernel import build
from p2pbench.linux.variants import find_variant
from p2pbench.records.journal import Journal
from p2pbench.records.metrics import AA, VIRTUAL
from p2pbench.records.records import BootRecord, Header
from p2pbench.records.runs import JOURNAL
from support import start_bench

# Instructions of a round of a planted loop, and the function that each parameter's loop is in.
ROUND = 2
LOOPS = {
    "nvmet.planted_rounds": "nvmet_req_count_p2pmem",
    "blk_core.planted_rounds": "submit_bio_noacct",
}
# How far what is measured may be from what was planted, as a ratio and as a part of the loss: a
# kernel that takes longer also does other things a little later, and so more or less often.
EXACT = 0.0005
PART = 0.05
# A margin in which the least loss that is planted is large.
NARROW = 0.001
EXPERIMENTS = 200


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    """The journal of a run of the matrix `planted`, started as a user starts it.

    It has some 110 boots, so workers that share these tests share it, too.
    """
    for name in ("page", "planted"):
        build(find_variant(name), "bench")
    own = tmp_path_factory.getbasetemp()
    results = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "results"
    with locked("planted", results):
        if not list(results.glob(f"*/{JOURNAL}")):
            process = start_bench(results, "--matrix=planted", "--seed=4")
            text, _ = process.communicate()
            assert process.returncode == 0, text
    (path,) = results.glob(f"*/{JOURNAL}")
    return Journal.open(path)


@pytest.fixture(scope="module")
def found(journal: Journal) -> list[Comparison]:
    """What the run says of throughput in virtual time, without A/A."""
    return in_virtual_time(compare_all(journal.header, journal.boots))


def in_virtual_time(comparisons: list[Comparison], family: str = VIRTUAL) -> list[Comparison]:
    """The answers of a family; there must be some."""
    listed = [one for one in comparisons if one.question.family == family]
    assert listed
    return listed


def with_margin(header: Header, margin: float) -> Header:
    """A header whose matrix calls another difference of virtual time one that matters."""
    other: Header = json.loads(json.dumps(header))
    other["matrix"]["margins"][VIRTUAL] = margin
    return other


def instructions(pair: Any, side: str, function: str = "") -> float:
    """What one boot of a pair counted for each I/O: of a function, else all."""
    counts = getattr(pair, side).result["counts"]
    if not function:
        return float(counts["total"] / counts["ios"])
    return sum(row["per_io"] for row in counts["functions"] if row["function"] == function)


def planted(journal: Journal, one: Comparison) -> float:
    """The instructions for each I/O that were planted in a cell's candidate.

    An I/O goes a loop as often as the function that it is in has more instructions than in page;
    that must be a whole number.
    """
    variant = one.question.compare["candidate"]["variant"]
    cmdline = journal.header["matrix"]["variants"].get(variant, {}).get("cmdline", "")
    total = 0.0
    for parameter, rounds in re.findall(r"(\S+)=(\d+)", cmdline):
        length = ROUND * int(rounds)
        more = [
            instructions(pair, "candidate", LOOPS[parameter])
            - instructions(pair, "baseline", LOOPS[parameter])
            for pair in one.pairs
        ]
        for passes in (each / length for each in more):
            assert abs(passes - round(passes)) < 0.2, (one.question.name, more)
        total += length * round(more[0] / length)
    return total


def expected(journal: Journal, one: Comparison) -> float:
    """The ratio of throughput that the planted instructions of a cell must make."""
    added = planted(journal, one)
    base = [instructions(pair, "baseline") for pair in one.pairs]
    mean = sum(base) / len(base)
    return mean / (mean + added)


def test_each_loss_is_measured_as_large_as_it_is(journal: Journal, found: list[Comparison]) -> None:
    for one in found:
        ratio = expected(journal, one)
        assert one.ratio is not None
        assert abs(one.ratio - ratio) < max(EXACT, PART * (1 - ratio)), one.question.name


def test_each_path_has_losses_of_all_sizes(journal: Journal, found: list[Comparison]) -> None:
    sizes = defaultdict(set)
    for one in found:
        loop = one.question.compare["candidate"]["variant"].partition("-")[0]
        loss = 1 - expected(journal, one)
        sizes[loop, one.question.workload["device"]].add(round(400 * loss))  # quarters of 1 %
    assert sizes["p2p", "bar"] == sizes["bio", "host"] == {1, 2, 4, 8}
    assert sizes["p2p", "host"] == sizes["planted", "bar"] == sizes["planted", "host"] == {0}


def test_a_loss_above_the_margin_is_worse_and_no_loss_is_equivalent(
    journal: Journal, found: list[Comparison]
) -> None:
    for one in found:
        loss = 1 - expected(journal, one)
        if loss > one.margin + EXACT:
            assert one.verdict == "worse", one
        if loss < EXACT:
            assert one.verdict == "equivalent", one


def test_the_least_loss_is_worse_where_the_margin_is_narrower(
    journal: Journal, found: list[Comparison]
) -> None:
    losses = {one.question.name: 1 - expected(journal, one) for one in found}
    header = with_margin(journal.header, NARROW)
    for one in in_virtual_time(compare_all(header, journal.boots)):
        verdict = "worse" if losses[one.question.name] > NARROW else "equivalent"
        assert one.verdict == verdict, one


def test_a_kernel_is_equivalent_to_itself(journal: Journal) -> None:
    comparisons = compare_all(journal.header, journal.boots)
    for one in in_virtual_time(comparisons, AA + VIRTUAL):
        assert one.verdict == "equivalent", one


def same_kernels(header: Header) -> list[list[str]]:
    """By block, the names of the boots that count and differ in nothing."""
    blocks = defaultdict(list)
    for boot in header["plan"]:
        if boot["kind"] == "count" and boot["variant"] in ("page", "planted"):
            blocks[boot["block"]].append(boot["boot"])
    return list(blocks.values())


def experiments(journal: Journal) -> Iterator[list[BootRecord]]:
    """The boots that differ in nothing, again and again with their names dealt out anew."""
    boots = {boot["boot"]: boot for boot in journal.boots}
    deal = random.Random(4)
    for _ in range(EXPERIMENTS):
        dealt: list[Any] = []
        for names in same_kernels(journal.header):
            shuffled = deal.sample(names, len(names))
            dealt += [{**boots[old], "boot": new} for old, new in zip(shuffled, names)]
        yield dealt


@pytest.mark.parametrize("margin", ["as it is", NARROW])
def test_200_experiments_without_a_loss_raise_no_alarm(journal: Journal, margin: Any) -> None:
    header = journal.header if margin == "as it is" else with_margin(journal.header, margin)
    alike = {name for names in same_kernels(header) for name in names}
    header = {**header, "plan": [boot for boot in header["plan"] if boot["boot"] in alike]}
    asked = [
        question for question in questions(header) if question.family in (VIRTUAL, AA + VIRTUAL)
    ]
    assert len(asked) == 4
    for boots in experiments(journal):
        verdicts = [one.verdict for one in answers(Samples(header, boots), asked, {}, 1)]
        assert len(verdicts) == 4 and not {"better", "worse", "invalid"} & set(verdicts)

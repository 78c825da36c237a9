# SPDX-License-Identifier: GPL-2.0
"""A variant that is built from a user's git tree: found, checked, copied, and never written to."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from p2pbench import __main__ as cli
from p2pbench.base import program
from p2pbench.base.errors import BenchError
from p2pbench.base.schema import problem
from p2pbench.linux import compare_builds, kernel, own_tree, tree, variants
from p2pbench.linux.builder import Builder
from p2pbench.linux.kernel import Kernel
from p2pbench.linux.variants import Variant
from p2pbench.plan.matrix import Matrix, matrix_from_json
from p2pbench.plan.matrix_file import read_matrix
from p2pbench.plan.matrix_variants import check_revisions, variant_of
from p2pbench.records.journal import SCHEMA_FILE
from p2pbench.testbed import preflight

REST = """
[[boots]]
variant = "before"
providers = "host"

[[boots]]
variant = "mine"
providers = ["host", "bar"]

[[workloads]]
rw = "randread"
bs = "4k"
runtime = "500ms"

[[ordinary]]
variants = ["before", "mine"]
devices = "null_blk"
rw = "read"
bs = "4k"
ios = 100

[[compare]]
name = "mine"
title = "my change against what was before"
baseline = "before/host"
candidate = "mine/host"
"""
MATRIX = (
    """\
blocks = 2

[variants.before]
tree = "src"
rev = "v1"

[variants.mine]
tree = "src"
rev = "work"
series = ["baseline"]
cmdline = "quiet"
"""
    + REST
)
PATCH = """\
From: A <a@example.org>
Subject: [PATCH] file: Say two

Why.
---
--- a/file
+++ b/file
@@ -1,2 +1,2 @@
 one
-last
+two
"""


def commit(directory: Path, content: str, message: str) -> None:
    (directory / "file").write_text(content)
    tree.git(directory, "add", "file")
    tree.git(directory, "commit", "-q", "-m", message)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's repository: tag v1, and branch work one commit further, which is checked out."""
    directory = tmp_path / "src"
    tree.git(tmp_path, "init", "-q", "-b", "work", "src")
    commit(directory, "zero\n", "First")
    tree.git(directory, "tag", "v1")
    commit(directory, "one\nlast\n", "Second")
    monkeypatch.setattr(tree, "BUILD", tmp_path / "build")
    return directory


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of linux/ whose series baseline is one patch of the file that the repository has."""
    shutil.copytree(variants.LINUX, tmp_path / "linux")
    monkeypatch.setattr(variants, "LINUX", tmp_path / "linux")
    series = tmp_path / "linux" / "6.1" / "baseline"
    for old in series.glob("*.patch"):
        old.unlink()
    (series / "0001-say-two.patch").write_text(PATCH)
    (series / "series").write_text("0001-say-two.patch\n")
    return series


def matrix_of(tmp_path: Path, text: str = MATRIX) -> Matrix:
    path = tmp_path / "my.toml"
    path.write_text(text)
    return read_matrix(path)


def variant(source: Path, rev: str, *series: str) -> Variant:
    return Variant("mine", "6.1", series, True, own=own_tree.resolve(str(source), rev))


def state_of(directory: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_revision_is_known_by_its_commit_and_its_content(source: Path) -> None:
    own = own_tree.resolve(str(source), "v1")
    assert own.commit == tree.git(source, "rev-parse", "v1").stdout.strip()
    assert own.object == tree.git(source, "rev-parse", "v1^{tree}").stdout.strip()


def test_the_home_directory_is_meant_by_a_tilde(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(source.parent))
    assert own_tree.resolve("~/src", "v1").directory == source


def test_what_is_no_tree_of_its_own_is_refused(source: Path) -> None:
    with pytest.raises(BenchError, match="nowhere: no such directory"):
        own_tree.resolve(str(source / "nowhere"), "v1")
    with pytest.raises(BenchError, match="no git repository"):
        own_tree.resolve(str(source.parent), "v1")
    (source / "below").mkdir()
    with pytest.raises(BenchError, match="below: no git repository"):
        own_tree.resolve(str(source / "below"), "v1")


@pytest.mark.parametrize("rev", ["v2", "--all", "v1^{blob}", "0" * 40])
def test_a_revision_that_is_not_there_is_refused(source: Path, rev: str) -> None:
    with pytest.raises(BenchError, match="unknown revision"):
        own_tree.resolve(str(source), rev)


def test_changes_that_are_not_committed_are_named_with_the_way_on(source: Path) -> None:
    own = own_tree.resolve(str(source), "work")
    (source / "notes").write_text("of no commit, and of no build\n")
    own_tree.check_committed(own)
    (source / "file").write_text("changed\n")
    with pytest.raises(BenchError, match="not committed.*: file; commit them.*git stash"):
        own_tree.check_committed(own)
    own_tree.check_committed(own_tree.resolve(str(source), "v1"))
    tree.git(source, "stash")
    own_tree.check_committed(own)


def test_a_bare_repository_will_do(source: Path) -> None:
    tree.git(source.parent, "clone", "-q", "--bare", "src", "bare.git")
    own_tree.check_committed(own_tree.resolve(str(source.parent / "bare.git"), "work"))


def test_the_tree_is_the_revision_with_the_series_and_the_users_is_as_it_was(
    source: Path, linux: Path
) -> None:
    (source / "file").touch()  # a status would note in the index that it is the same
    before = state_of(source)
    own_tree.check_committed(own_tree.resolve(str(source), "work"))
    made = tree.make_tree(variant(source, "work", "baseline"))
    assert (made / "file").read_text() == "one\ntwo\n"
    made = tree.make_tree(variant(source, "v1"))
    assert (made / "file").read_text() == "zero\n"
    assert state_of(source) == before


def test_a_tree_stays_whole_when_the_users_is_gone(source: Path, linux: Path) -> None:
    mine = variant(source, "work", "baseline")
    tree.make_tree(mine)
    shutil.rmtree(source)
    made = tree.make_tree(mine)
    tree.git(made, "fsck", "--full")
    assert tree.git(made, "show", "base:file").stdout == "one\nlast\n"


def test_a_series_that_does_not_apply_is_named_with_file_and_hunk(
    source: Path, linux: Path
) -> None:
    commit(source, "one\nmine\n", "Third")
    with pytest.raises(
        BenchError,
        match="0001-say-two.patch: does not apply to .*src at work " r"\(\w{12}\): file hunk #1",
    ):
        tree.make_tree(variant(source, "work", "baseline"))


def test_work_in_the_copy_is_not_thrown_away(source: Path, linux: Path) -> None:
    made = tree.make_tree(variant(source, "v1"))
    (made / "file").write_text("work\n")
    with pytest.raises(BenchError, match="holds changes .*is made from .*src: put them there"):
        tree.make_tree(variant(source, "work"))


def test_a_kernel_is_known_by_content_patches_and_configuration(
    source: Path, linux: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "base_tarball", lambda _: pytest.fail("it needs no package"))

    def key(*args: Any) -> str:
        return kernel.expected(variant(source, *args), "bench").key

    keys = {key("v1"), key("work"), key("work", "baseline")}
    assert len(keys) == 3
    tree.git(source, "commit", "-q", "--amend", "-m", "Second, said better")
    assert key("work") in keys
    patch = linux / "0001-say-two.patch"
    patch.write_text(patch.read_text().replace("Why.", "Why not."))
    assert key("work", "baseline") not in keys


def test_a_matrix_compares_two_revisions(source: Path, tmp_path: Path) -> None:
    matrix = matrix_of(tmp_path)
    before, mine = (variant_of(name, matrix.variants) for name in ("before", "mine"))
    assert before.own == own_tree.resolve(str(source), "v1")
    assert mine.own == own_tree.resolve(str(source), "work")
    assert (before.series, before.rxe_p2p) == ((), False)
    assert (mine.release, mine.series, mine.rxe_p2p) == ("6.1", ("baseline",), True)
    assert (matrix.cmdline_of("before"), matrix.cmdline_of("mine")) == ("", "quiet")
    assert matrix.kernel_of("mine") == "mine"


def test_the_header_names_tree_revision_and_object_and_a_resumed_run_has_them(
    source: Path, tmp_path: Path
) -> None:
    matrix = matrix_of(tmp_path)
    kept = json.loads(json.dumps(matrix.as_json()))
    assert problem(SCHEMA_FILE, "matrix", kept) == ""
    own = own_tree.resolve(str(source), "work")
    assert kept["variants"]["mine"].items() >= vars(own).items()
    again = matrix_from_json(kept)
    assert variant_of("mine", again.variants) == variant_of("mine", matrix.variants)
    del kept["variants"]["mine"]["object"]
    assert problem(SCHEMA_FILE, "matrix", kept)


def test_a_run_is_not_resumed_with_another_revision(source: Path, tmp_path: Path) -> None:
    matrix = matrix_of(tmp_path)
    (source / "file").write_text("the user works on\n")
    check_revisions(matrix.variants)
    commit(source, "three\n", "Third")
    with pytest.raises(
        BenchError,
        match='another revision of variant "mine": work of .*src was '
        r"\w{40}, and is \w{40} now; start a new run",
    ):
        check_revisions(matrix.variants)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'tree = "src"\nrev = "w',
            'tree = "sources"\nrev = "w',
            "toml:8: .*sources: no such direc",
        ),
        ('"work"', '"play"', 'toml:8: .*src: unknown revision "play"'),
        ('rev = "work"\n', "", 'toml:7: key "rev" is missing'),
        (
            '["baseline"]',
            '["baselines"]',
            'toml:10: series: linux/6.1 has no series "baselines" '
            r"\(baseline, kunit, pageless, planted\)",
        ),
        ('["baseline"]', '"baseline"', "toml:10: series: .*a list of names is allowed"),
        ('cmdline = "quiet"', 'base = "5.10"', r'toml:11: base: unknown value "5.10" \(6.1\)'),
        ('cmdline = "quiet"', 'kernel = "page"', 'toml:11: unknown key "kernel"'),
        ('["baseline"]', '["kunit"]', 'variant "mine" cannot use provider "bar"'),
        ("[variants.mine]", "[variants.base]", 'toml:7: variant "base"'),
        ('tree = "src"\nrev = "w', 'rev = "w', 'toml:8: "rev" goes with "tree"'),
    ],
)
def test_a_mistake_is_named(source: Path, tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in MATRIX
    with pytest.raises(BenchError, match=message):
        matrix_of(tmp_path, MATRIX.replace(old, new))


def test_a_matrix_with_uncommitted_changes_is_refused(source: Path, tmp_path: Path) -> None:
    (source / "file").write_text("changed\n")
    with pytest.raises(BenchError, match="my.toml:8: .*not committed, on top of work.*: file;"):
        matrix_of(tmp_path)


def test_a_tree_may_say_that_it_knows_peer_memory(source: Path, tmp_path: Path) -> None:
    matrix = matrix_of(tmp_path, MATRIX.replace('series = ["baseline"]', "rxe_p2p = true"))
    assert variant_of("mine", matrix.variants).rxe_p2p


def test_the_builder_builds_what_the_run_began_with(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = matrix_of(tmp_path)
    wanted = [variant_of("mine", matrix.variants), variants.find_variant("page")]
    commands: list[tuple[str, ...]] = []
    with monkeypatch.context() as patch:
        patch.setattr(program, "start", lambda *command, **_: commands.append(command))
        Builder([Kernel(one, "bench", "key", tmp_path) for one in wanted])
    commit(source, "the branch moves on\n", "Third")
    built: list[Variant] = []

    def build(one: Variant, flavour: str) -> Kernel:
        built.append(one)
        return Kernel(one, flavour, "key", tmp_path)

    monkeypatch.setattr(kernel, "build", build)
    monkeypatch.setattr(preflight, "check_build", lambda _: None)
    cli.main(commands[0][3:])
    assert built == wanted


def test_sizes_are_compared_only_between_kernels_of_the_same_source(source: Path) -> None:
    work = variant(source, "work")
    assert compare_builds._is_below(work, variant(source, "work", "baseline"))
    assert not compare_builds._is_below(work, variant(source, "v1", "baseline"))
    assert not compare_builds._is_below(replace(work, own=None), variant(source, "v1", "baseline"))

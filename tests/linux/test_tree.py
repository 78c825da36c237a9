# SPDX-License-Identifier: GPL-2.0
"""The source trees: one commit a patch, exported byte for byte, and no work is ever lost."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from p2pbench.base import tools
from p2pbench.base.errors import BenchError
from p2pbench.linux import kernel, own_tree, series_check, tree, variants
from p2pbench.linux.variants import find_variant

PAGE = "page"
NAIVE = Path(__file__).parents[1] / "naive"


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests' build directory: a checkout takes longest, so they share its trees."""
    return tmp_path_factory.mktemp("build")


@pytest.fixture
def own(tmp_path: Path, build: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of linux/ of the test's own; the base comes from the cache."""
    shutil.copytree(variants.LINUX, tmp_path / "linux")
    monkeypatch.setattr(variants, "LINUX", tmp_path / "linux")
    monkeypatch.setattr(tree, "BUILD", build)
    yield tmp_path
    directory = build / "linux" / "6.1" / PAGE
    if directory.is_dir():
        tree.git(directory, "reset", "-q", "--hard", "p2pbench/applied", check=False)


def patch_files(own: Path, series: str = "baseline") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (own / "linux" / "6.1" / series).iterdir()}


def commit(directory: Path, file: str, subject: str) -> None:
    with (directory / file).open("a") as stream:
        stream.write("\n")
    tree.git(directory, "commit", "-q", "-a", "-m", f"{subject}\n\nWhy.")


def test_a_tree_has_one_commit_a_patch_and_exports_the_same_bytes(own: Path) -> None:
    directory = tree.make_tree(find_variant(PAGE))
    subjects = tree.git(directory, "log", "--format=%s", "base..HEAD").stdout.splitlines()
    assert len(subjects) == len(find_variant(PAGE).patches())
    before = patch_files(own)
    assert tree.export_series(find_variant(PAGE)) == []
    assert patch_files(own) == before


def test_work_in_the_tree_is_kept_until_it_is_exported(own: Path) -> None:
    directory = tree.make_tree(find_variant(PAGE))
    commit(directory, "drivers/nvme/target/core.c", "nvmet: Add a line")
    with pytest.raises(BenchError, match="commits that are not exported.*series-export"):
        tree.make_tree(find_variant(PAGE))
    changed = tree.export_series(find_variant(PAGE))
    assert len(changed) == 2
    assert "nvmet-Add-a-line.patch" in changed[0]
    assert tree.make_tree(find_variant(PAGE)) == directory
    (directory / "drivers" / "nvme" / "new.c").write_text("")
    with pytest.raises(BenchError, match="changes that are not committed"):
        tree.check_saved(find_variant(PAGE))
    (directory / "drivers" / "nvme" / "new.c").unlink()
    (directory / "Makefile").write_text("")
    with pytest.raises(BenchError, match="changes that are not committed"):
        tree.make_tree(find_variant(PAGE))
    with pytest.raises(BenchError, match="commit them first"):
        tree.export_series(find_variant(PAGE))


def test_a_patch_that_does_not_apply_is_named_with_file_and_hunk(own: Path) -> None:
    patch = find_variant(PAGE).patches()[4]
    lines = patch.read_text().split("\n")
    hunk = next(number for number, line in enumerate(lines) if line.startswith("@@"))
    lines[hunk + 1] = " this line is not in the base"
    patch.write_text("\n".join(lines))
    with pytest.raises(BenchError) as caught:
        tree.make_tree(find_variant(PAGE))
    assert patch.name in str(caught.value)
    assert "drivers/nvme/target/core.c hunk #1" in str(caught.value)
    with pytest.raises(BenchError, match="not complete"):
        tree.export_series(find_variant(PAGE))
    shutil.copyfile(Path(__file__).parents[2] / "linux" / "6.1" / "baseline" / patch.name, patch)
    before = patch_files(own)
    tree.make_tree(find_variant(PAGE))
    assert tree.export_series(find_variant(PAGE)) == []
    assert patch_files(own) == before


def test_a_tree_that_was_left_in_the_middle_of_a_patch_is_made_again(own: Path) -> None:
    """As a kill leaves it: git's lock, half a file, a new file that the patch brings, no tag."""
    page = find_variant(PAGE)
    directory = tree.make_tree(page)
    before = tree.git(directory, "rev-parse", "HEAD^{tree}").stdout
    tree.git(directory, "tag", "-d", "p2pbench/applied")
    commit(directory, "MAINTAINERS", "x")
    stamp = directory / ".git" / "p2pbench-state"
    stamp.write_text(stamp.read_text().partition("\n")[0] + "\n")
    (directory / "drivers" / "pci" / "p2pdma.c").write_text("half")
    (directory / "left").write_text("behind")
    (directory / ".git" / "index.lock").touch()
    assert tree.make_tree(page) == directory
    assert tree.git(directory, "rev-parse", "HEAD^{tree}").stdout == before
    assert tree.git(directory, "status", "--porcelain").stdout == ""
    assert not (directory / "left").exists()


def test_an_own_tree_of_the_packaged_source_gives_what_variant_page_is_built_from(
    own: Path,
) -> None:
    page = find_variant(PAGE)
    repository = tree.base_repository(page.base, tree.base_tarball(page.base))
    theirs = own / "theirs.git"
    tree.git(own, "clone", "-q", "--bare", str(repository), str(theirs))
    mine = replace(page, name="mine", own=own_tree.resolve(str(theirs), "base"))
    inputs, of_page = kernel._inputs(mine, "bench"), kernel._inputs(page, "bench")
    differing = {name for name in of_page if inputs[name] != of_page[name]}
    assert differing == {"base", "variant"} and inputs.keys() == of_page.keys()
    contents = [
        tree.git(tree.make_tree(one), "rev-parse", "HEAD^{tree}").stdout for one in (mine, page)
    ]
    assert contents[0] == contents[1]


def test_another_point_release_is_used_with_a_warning(
    own: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tarball = os.environ.get("P2PBENCH_BASE") or str(variants.read_base("6.1").tarball)
    monkeypatch.delenv("P2PBENCH_BASE", raising=False)
    base = own / "linux" / "6.1" / "BASE"
    base.write_text(
        base.read_text()
        .replace('version = "6.1', 'version = "5.1')
        .replace('sha256 = "', 'sha256 = "00')
        .replace(str(variants.read_base("6.1").tarball), tarball)
    )
    tree.make_tree(find_variant(PAGE))
    version = tree.installed_version("linux-source-6.1") or "another version"
    assert f"warning: linux-source-6.1 is {version}" in capsys.readouterr().err


def test_a_missing_base_package_says_what_to_do(
    own: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = own / "linux" / "6.1" / "BASE"
    base.write_text(
        base.read_text()
        .replace('package = "linux-source', 'package = "linux-sauce')
        .replace('tarball = "/usr', 'tarball = "/nowhere')
    )
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("P2PBENCH_BASE", raising=False)
    with pytest.raises(BenchError, match="the base kernel's source is missing: .*linux-sauce-6.1"):
        tree.make_tree(find_variant(PAGE))


def test_patches_carry_a_sign_off_and_no_checkpatch_complaint(own: Path) -> None:
    directory = tree.make_tree(find_variant(PAGE))
    for name in ("baseline", "pageless", "kunit"):
        for patch in variants.series_patches("6.1", name):
            assert "\nSigned-off-by: " in patch.read_text()
            done = subprocess.run(
                [
                    directory / "scripts" / "checkpatch.pl",
                    "--strict",
                    "--quiet",
                    "--no-signoff",
                    "--ignore",
                    series_check.IGNORED,
                    patch,
                ],
                cwd=directory,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stdout


def test_each_mistake_of_the_naive_port_can_still_be_planted(tmp_path: Path) -> None:
    base = variants.read_base("6.1")
    repository = tree.base_repository(base, tree.base_tarball(base))
    (tmp_path / "objects").mkdir()
    env = {
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_OBJECT_DIRECTORY": str(tmp_path / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(repository / "objects"),
    }
    tree.git(repository, "read-tree", "base", extra=env)
    tree.git(
        repository, "apply", "--cached", *map(str, find_variant("pageless").patches()), extra=env
    )
    mistakes = sorted(NAIVE.glob("*.patch"))
    refused = [
        patch.name
        for patch in mistakes
        if tree.git(
            repository, "apply", "--cached", "--check", str(patch), check=False, extra=env
        ).returncode
    ]
    assert mistakes and refused == []


def test_two_processes_that_need_the_base_unpack_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "linux").mkdir()
    (tmp_path / "linux" / "Makefile").write_text("VERSION = 6\n")
    tarball = tmp_path / "linux.tar"
    subprocess.run(["tar", "-cf", tarball, "-C", tmp_path, "linux"], check=True)
    base = replace(variants.read_base("6.1"), tarball=tarball)
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda _: tree.base_repository(base, "0" * 64), range(4)))
    assert len(set(made)) == 1
    assert tree.git(made[0], "show", "base:Makefile").stdout == "VERSION = 6\n"
    assert capsys.readouterr().out.count("unpacking") == 1


def test_the_cache_may_lie_on_another_file_system(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git's objects cannot be linked from there."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        monkeypatch.setenv("P2PBENCH_CACHE", elsewhere)
        monkeypatch.setattr(tree, "BUILD", own / "build")
        (own / "source").mkdir()
        (own / "source" / "Makefile").write_text("VERSION = 6\n")
        tarball = own / "source.tar"
        subprocess.run(["tar", "-cf", tarball, "-C", own, "source"], check=True)
        monkeypatch.setenv("P2PBENCH_BASE", str(tarball))
        base = own / "linux" / "6.1" / "BASE"
        base.write_text(
            base.read_text().replace(variants.read_base("6.1").sha256, tools.file_sha256(tarball))
        )
        directory = tree.make_tree(find_variant("stock"))
        assert own.stat().st_dev != Path(elsewhere).stat().st_dev
        assert (directory / "Makefile").read_text() == "VERSION = 6\n"

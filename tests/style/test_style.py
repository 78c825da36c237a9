# SPDX-License-Identifier: GPL-2.0
"""The style is checked like everything else: types, shell, and the kernel's own checkpatch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from p2pbench.base.paths import ROOT, SCHEMAS
from p2pbench.linux.tree import base_repository, base_tarball, git
from p2pbench.linux.variants import read_base


def tracked(*patterns: str) -> list[Path]:
    """Return the files of the checkout that match, whether committed yet or not."""
    done = subprocess.run(
        ["git", "ls-files", "-c", "-o", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("where", ["bench/p2pbench", "bench/boots"])
def test_the_python_is_typed(where: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--no-error-summary",
            "--config-file=tests/style/mypy.ini",
            "--cache-dir=build/mypy",
            where,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "formatter",
    [("black", "--config=tests/style/pyproject.toml"), ("isort", "--settings-path=tests/style")],
    ids=["black", "isort"],
)
def test_the_python_is_laid_out(formatter: tuple[str, str]) -> None:
    """By the versions of Debian 12: those that follow differ from them in details."""
    program, configuration = formatter
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    if program == "black" and not version.stdout.startswith("black, 23."):
        pytest.skip(f"{version.stdout.splitlines()[0]} is not that of Debian 12")
    done = subprocess.run(
        [program, "--check", "--quiet", configuration, "bench", "tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"run {program} {configuration} bench tests"


def test_the_shell_scripts_are_clean() -> None:
    scripts = tracked("*.sh", ".ci/run")
    assert scripts
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def checkpatch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script of the base kernel, with what it reads: no tree and no build is needed."""
    base = read_base("6.1")
    repository = base_repository(base, base_tarball(base))
    directory = tmp_path_factory.mktemp("scripts")
    for name in ("checkpatch.pl", "spelling.txt", "const_structs.checkpatch"):
        (directory / name).write_text(git(repository, "show", f"base:scripts/{name}").stdout)
    return directory / "checkpatch.pl"


def test_all_c_passes_the_kernels_checkpatch(checkpatch: Path) -> None:
    sources = tracked("bench/*.c", "bench/*.h", "tests/*.c")
    assert sources
    done = subprocess.run(
        ["perl", checkpatch, "--no-tree", "--strict", "--quiet", "--terse", "-f", *sources],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_no_line_of_the_python_is_longer_than_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > 100
    ]
    assert long == []


def test_each_file_of_python_names_its_licence() -> None:
    unnamed = [
        path.relative_to(ROOT)
        for path in tracked("*.py")
        if "# SPDX-License-Identifier: GPL-2.0\n" not in path.read_text()[:100]
    ]
    assert unnamed == []


def test_no_key_of_a_schema_stands_twice() -> None:
    """Of two, JSON readers take the last in silence."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        twice.extend(name for name in set(names) if names.count(name) > 1)
        return dict(pairs)

    for schema in SCHEMAS.glob("*.schema.json"):
        twice: list[str] = []
        json.loads(schema.read_text(), object_pairs_hook=once)
        assert twice == [], schema.name

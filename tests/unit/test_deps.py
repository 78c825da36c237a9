# SPDX-License-Identifier: GPL-2.0
"""Packages: each group brings its own, what did not arrive is named, and nothing else is taken."""

import shutil
import subprocess
from pathlib import Path

import pytest

from p2pbench.base.paths import ROOT
from p2pbench.linux.variants import read_base

DEPS = ROOT / "bench" / "deps.sh"
REAL = ("tr", "mktemp", "rm", "grep", "tail", "sed", "env", "cat", "awk")
ALL_THERE = {"dpkg-query": "echo installed"}
# apt knows every name, and what it installs is in a file: $4 is the name that dpkg-query is asked.
APT = {
    "id": "echo 0",
    "apt-cache": 'for name; do echo "Package: $name"; done',
    "dpkg-query": 'grep -qx "$4" installed && echo installed',
}


def deps(
    directory: Path,
    *args: str,
    script: Path = DEPS,
    env: dict[str, str] | None = None,
    **programs: str,
) -> subprocess.CompletedProcess[str]:
    """Run deps.sh where these shell programs stand for the system's, beside a few real ones."""
    path = directory / "bin"
    path.mkdir()
    for name, body in programs.items():
        (path / name).write_text(f"#!/bin/sh\n{body}\n")
        (path / name).chmod(0o755)
    for name in REAL:
        (path / name).symlink_to(shutil.which(name) or "/bin/false")
    (directory / "installed").touch()
    return subprocess.run(
        ["/bin/sh", script, *args],
        cwd=directory,
        capture_output=True,
        text=True,
        env={"PATH": str(path), "HOME": str(directory)} | (env or {}),
    )


def with_packages(directory: Path, packages: str) -> Path:
    """A copy of deps.sh whose group python is these packages, and whose base is nowhere."""
    for name in ("bench", "linux/6.1"):
        (directory / name).mkdir(parents=True)
    base = (ROOT / "linux" / "6.1" / "BASE").read_text()
    (directory / "linux" / "6.1" / "BASE").write_text(base.replace('"/usr/src', '"/nowhere'))
    text = DEPS.read_text()
    first = text.index("python) echo")
    last = text.index("build) echo")
    (directory / "bench" / "deps.sh").write_text(
        f'{text[:first]}python) echo "{packages}" ;;\n\t{text[last:]}'
    )
    return directory / "bench" / "deps.sh"


def listed(directory: Path, *groups: str) -> set[str]:
    """The packages that a machine without any would install."""
    return set(deps(directory, "list", *groups, **{"dpkg-query": "exit 1"}).stdout.split())


def test_a_benchmark_needs_no_browser_and_no_checker(tmp_path: Path) -> None:
    packages = listed(tmp_path, "python", "build", "guest", "source")
    assert {"gcc", "fio", "python3-scipy"} <= packages
    assert not [
        name
        for name in packages
        if any(
            word in name
            for word in (
                "chromium",
                "selenium",
                "mypy",
                "shellcheck",
                "typeshed",
                "xdist",
                "aarch64",
            )
        )
    ]


def test_a_package_of_two_groups_is_listed_once(tmp_path: Path) -> None:
    packages = deps(tmp_path, "list", "python", "build", **{"dpkg-query": "exit 1"}).stdout.split()
    assert len(packages) == len(set(packages)) and "python3" in packages


def test_the_tests_bring_their_own(tmp_path: Path) -> None:
    assert {
        "chromium",
        "python3-selenium",
        "mypy",
        "python3-typeshed",
        "shellcheck",
        "python3-pytest-xdist",
    } <= listed(tmp_path, "test")


def test_without_root_the_packages_and_the_way_are_named(tmp_path: Path) -> None:
    done = deps(
        tmp_path,
        "install",
        "python",
        "source",
        script=with_packages(tmp_path, "python3 fio"),
        id="echo 1000",
        **{"dpkg-query": "exit 1", "apt-get": ""},
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: missing packages: python3 fio linux-source-6.1 - run 'make deps' as root\n"
    )


def test_without_a_network_it_is_said_in_one_line(tmp_path: Path) -> None:
    done = deps(
        tmp_path,
        "install",
        "guest",
        id="echo 0",
        **{
            "dpkg-query": '[ "$4" != fio ] && echo installed',
            "apt-get": "echo 'E: Failed to fetch' >&2; exit 100",
        },
    )
    assert done.returncode == 1
    assert "apt-get could not install: fio - is there a network" in done.stderr


def test_nothing_is_asked_for_when_all_is_there(tmp_path: Path) -> None:
    done = deps(
        tmp_path,
        "install",
        "python",
        "build",
        "guest",
        "test",
        id="echo 1000",
        **ALL_THERE,
        **{"apt-get": "exit 1"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_installed_is_what_was_missing(tmp_path: Path) -> None:
    done = deps(
        tmp_path,
        "install",
        "python",
        script=with_packages(tmp_path, "python3 fio bc"),
        **APT
        | {
            "dpkg-query": '[ "$4" = bc ] || grep -qx "$4" installed && echo installed',
            "apt-get": 'for name; do echo "$name"; done >>installed',
        },
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "installing: python3 fio \n", "")
    assert (tmp_path / "installed").read_text().split("--no-install-recommends\n")[
        1
    ] == "python3\nfio\n"


def test_a_package_that_did_not_arrive_is_named_although_apt_is_content(tmp_path: Path) -> None:
    done = deps(
        tmp_path,
        "install",
        "python",
        script=with_packages(tmp_path, "python3 fio"),
        **APT,
        **{"apt-get": "echo python3 >>installed"},
    )
    assert done.returncode == 1
    assert "error: apt-get installed all but fio" in done.stderr


@pytest.mark.parametrize("name", ["libc6-de", "linux-source-6..*"])
def test_the_real_apt_is_never_given_a_name_that_only_resembles(tmp_path: Path, name: str) -> None:
    real = shutil.which("apt-cache")
    done = deps(
        tmp_path,
        "install",
        "python",
        script=with_packages(tmp_path, f"libc6-dev {name}"),
        id="echo 0",
        **{
            "dpkg-query": "exit 1",
            "apt-cache": f'exec {real} "$@"',
            "apt-get": 'echo "$@" >>asked',
        },
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: apt has no package {name}: ")
    assert (tmp_path / "asked").read_text() == "-q update\n"


def test_the_base_kernels_package_is_left_to_the_harness_where_apt_has_none(tmp_path: Path) -> None:
    done = deps(
        tmp_path,
        "install",
        "python",
        "source",
        script=with_packages(tmp_path, "fio"),
        **APT
        | {
            "apt-cache": 'echo "Package: fio"; echo "Package: linux-source-6.12"',
            "apt-get": 'for name; do echo "$name"; done >>installed',
        },
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "installing: fio \n", "")
    assert "linux-source" not in (tmp_path / "installed").read_text()


@pytest.mark.parametrize("where", ["given", "cache", "xdg", "home", "relative", "package"])
def test_the_base_kernels_package_is_not_asked_for_when_its_source_is_there(
    tmp_path: Path, where: str
) -> None:
    script = with_packages(tmp_path, "fio")
    repository = f"base/{read_base('6.1').sha256[:16]}.git"
    homes = {
        "cache": "cache",
        "xdg": "xdg/p2pbench",
        "home": ".cache/p2pbench",
        "relative": ".cache/p2pbench",
    }
    if where in homes:
        (tmp_path / homes[where] / repository).mkdir(parents=True)
    if where == "package":
        base = tmp_path / "linux" / "6.1" / "BASE"
        base.write_text(base.read_text().replace('"/nowhere', f'"{tmp_path}'))
        (tmp_path / "linux-source-6.1.tar.xz").touch()
    env = {
        "given": {"P2PBENCH_BASE": "/a.tar.xz"},
        "xdg": {"XDG_CACHE_HOME": f"{tmp_path}/xdg"},
        "cache": {"P2PBENCH_CACHE": f"{tmp_path}/cache"},
        "relative": {"XDG_CACHE_HOME": "xdg"},
    }.get(where, {})
    done = deps(tmp_path, "list", "source", script=script, env=env, **{"dpkg-query": "exit 1"})
    assert done.stdout == ""


def test_it_is_asked_for_when_only_another_base_is_there(tmp_path: Path) -> None:
    (tmp_path / ".cache" / "p2pbench" / "base" / "0123456789abcdef.git").mkdir(parents=True)
    done = deps(
        tmp_path,
        "list",
        "source",
        script=with_packages(tmp_path, "fio"),
        **{"dpkg-query": "exit 1"},
    )
    assert done.stdout.split() == ["linux-source-6.1"]


def test_another_distribution_is_not_stopped_here(tmp_path: Path) -> None:
    done = deps(tmp_path, "install", "python", "build", "guest", "source", "test")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

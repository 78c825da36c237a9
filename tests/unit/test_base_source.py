# SPDX-License-Identifier: GPL-2.0
"""The base kernel's source is what has the right sha256; where there is none, the way is said."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from p2pbench.base import program
from p2pbench.base.errors import BenchError
from p2pbench.linux import base_source, tree
from p2pbench.linux.variants import Base, read_base

ENTRY = """\
Created-By: Packages
Codename: {codename}
Label: {label}
Origin: {origin}
Repo-URI: {uri}
Release: {codename}
Signed-By: {key}
Target-Of: deb

"""
KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"
MAIN = ENTRY.format(
    codename="trixie", label="Debian", origin="Debian", key=KEY, uri="http://mirror.example/debian/"
)
SECURITY = ENTRY.format(
    codename="trixie-security",
    label="Debian-Security",
    origin="Debian",
    key=KEY,
    uri="https://mirror.example/sec/",
)
OTHER = ENTRY.format(
    codename="trixie",
    label="Debian",
    origin="A vendor",
    key="",
    uri="https://vendor.example/debian/",
)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Base:
    """A base whose tarball no package has brought, on a machine with an empty cache."""
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("P2PBENCH_BASE", raising=False)
    return replace(
        read_base("6.1"),
        tarball=tmp_path / "usr" / "linux-source-6.1.tar.xz",
        sha256=hashlib.sha256(b"right").hexdigest(),
    )


def system(directory: Path, monkeypatch: pytest.MonkeyPatch, targets: str, package: str) -> None:
    """Let apt have these archives and, when it is asked for one, this package."""
    monkeypatch.setattr(program, "_SBIN", ())
    (directory / "targets").write_text(targets)
    for name, body in (
        ("apt-get", f"cat {directory}/targets"),
        ("apt-cache", f"echo 'Package: {package}'"),
    ):
        (directory / name).write_text(f"#!/bin/sh\n{body}\n")
        (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")


def test_a_path_with_the_right_content_is_the_base(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.tar.xz").write_text("right")
    monkeypatch.setenv("P2PBENCH_BASE", str(tmp_path / "a.tar.xz"))
    assert tree.base_tarball(base) == base.sha256


def test_a_path_with_another_content_or_none_is_refused(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("P2PBENCH_BASE", str(tmp_path / "a.tar.xz"))
    with pytest.raises(BenchError, match="P2PBENCH_BASE=.*a.tar.xz: no such file"):
        tree.base_tarball(base)
    (tmp_path / "a.tar.xz").write_text("wrong")
    with pytest.raises(BenchError, match=f"a.tar.xz has the sha256 .* has {base.sha256}"):
        tree.base_tarball(base)


def test_what_was_unpacked_once_needs_no_tarball(base: Base, tmp_path: Path) -> None:
    repository = tmp_path / "cache" / "base" / f"{base.sha256[:16]}.git"
    repository.mkdir(parents=True)
    assert tree.have_base(base)
    assert tree.base_repository(base, tree.base_tarball(base)) == repository


def test_a_tarball_that_dpkg_knows_nothing_of_is_taken_by_its_content(base: Base) -> None:
    base.tarball.parent.mkdir()
    base.tarball.write_text("right")
    assert tree.base_tarball(replace(base, package="linux-sauce-6.1")) == base.sha256


def test_where_apt_has_the_package_make_deps_brings_it(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system(tmp_path, monkeypatch, MAIN, base.package)
    with pytest.raises(BenchError, match="linux-source-6.1 .* not installed; run `make deps`"):
        tree.base_tarball(base)


@pytest.mark.parametrize(
    ("targets", "line", "suite"),
    [
        (
            OTHER + MAIN + SECURITY,
            f"deb [signed-by={KEY}] https://mirror.example/sec/ bookworm-security main",
            "bookworm-security",
        ),
        (
            OTHER + MAIN,
            f"deb [signed-by={KEY}] http://mirror.example/debian/ bookworm main",
            "bookworm",
        ),
        (
            MAIN.replace(f"Signed-By: {KEY}\n", ""),
            "deb http://mirror.example/debian/ bookworm main",
            "bookworm",
        ),
    ],
    ids=["security", "main", "no-key"],
)
def test_where_it_has_none_the_line_is_made_of_its_own_mirrors(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, targets: str, line: str, suite: str
) -> None:
    system(tmp_path, monkeypatch, targets, "linux-source-6.12")
    with pytest.raises(BenchError) as caught:
        tree.base_tarball(base)
    text = str(caught.value)
    assert f"\n  echo '{line}' >/etc/apt/sources.list.d/p2pbench.list\n" in text
    assert text.count(f"'Pin: release n={suite}'") == 2
    assert "\n  make deps\n" in text and base.sha256 in text and "P2PBENCH_BASE" in text


@pytest.mark.parametrize("targets", ["", OTHER], ids=["none", "others"])
def test_without_a_mirror_of_debian_the_tarball_is_asked_for(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, targets: str
) -> None:
    system(tmp_path, monkeypatch, targets, "linux-source-6.12")
    text = base_source.way_out(base)
    assert "To have it, set P2PBENCH_BASE to such a linux-source-6.1.tar.xz" in text
    assert "\n" not in text and "deb " not in text


def test_without_apt_the_tarball_is_asked_for(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_SBIN", ())
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(BenchError, match="To have it, set P2PBENCH_BASE"):
        tree.base_tarball(base)

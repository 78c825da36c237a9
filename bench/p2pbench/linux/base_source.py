# SPDX-License-Identifier: GPL-2.0
"""Where the base kernel's source can be had when the system has no package of it.

It is a package of one Debian release. Another release can take it from that one's archive, which
lies beside its own: the mirror is the one that apt uses already.
"""

from dataclasses import dataclass

from p2pbench.base.errors import BenchError
from p2pbench.base.program import run
from p2pbench.linux.variants import Base

_AS_ROOT = """\
as root:
  echo '{line}' >/etc/apt/sources.list.d/p2pbench.list
  printf '%s\\n' 'Package: *' 'Pin: release n={suite}' 'Pin-Priority: -1' '' \\
    'Package: {package}' 'Pin: release n={suite}' 'Pin-Priority: 500' \\
    >/etc/apt/preferences.d/p2pbench
  make deps
(the second command sees to it that nothing else comes from there), """


@dataclass(frozen=True)
class _Archive:
    """One that apt takes packages from."""

    origin: str
    label: str
    uri: str
    key: str


def way_out(base: Base) -> str:
    """Return a message that the base's source is missing, and the commands that bring it here."""
    package = base.package
    if _known(package):
        return f"package {package} (its {base.tarball}) is not installed; run `make deps`"
    line, suite = _source_line(_archives(), base)
    commands = _AS_ROOT.format(line=line, suite=suite, package=package) if line else ""
    return (
        f"the base kernel's source is missing: {base.tarball.name} is in {package}, a package "
        f"of Debian {base.suite}, which is not among the packages of this system. To have it, "
        f"{commands}{'or ' if line else ''}set P2PBENCH_BASE to such a {base.tarball.name} "
        f"(version {base.version}, sha256 {base.sha256})"
    )


def _output(*command: str) -> str:
    try:
        return run(*command).stdout
    except BenchError:  # a system without apt
        return ""


def _known(package: str) -> bool:
    """Say whether apt has a package of exactly this name."""
    return f"Package: {package}" in _output("apt-cache", "show", package).splitlines()


def _archives() -> list[_Archive]:
    """Return the archives of apt's own configuration, however its files are written."""
    archives = []
    for entry in _output("apt-get", "indextargets", "Created-By: Packages").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line)
        archives.append(
            _Archive(
                fields.get("Origin", ""),
                fields.get("Label", ""),
                fields.get("Repo-URI", ""),
                fields.get("Signed-By", ""),
            )
        )
    return archives


def _source_line(archives: list[_Archive], base: Base) -> tuple[str, str]:
    """Return a line for sources.list and its suite, or two empty strings without a mirror.

    Debian's security archive has the newest versions, so it comes first.
    """
    for label, suite in (("Debian-Security", f"{base.suite}-security"), ("Debian", base.suite)):
        for archive in archives:
            if archive.origin == "Debian" and archive.label == label:
                key = f"[signed-by={archive.key}] " if archive.key.startswith("/") else ""
                return f"deb {key}{archive.uri} {suite} main", suite
    return "", ""

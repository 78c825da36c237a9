# SPDX-License-Identifier: GPL-2.0
"""A variant's source tree as a git repository: one commit a patch, and back again."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from p2pbench.base import cache
from p2pbench.base.errors import BenchError
from p2pbench.base.lock import locked
from p2pbench.base.paths import BUILD, cache_dir, own_environment, shown
from p2pbench.base.program import run, why
from p2pbench.base.tools import file_sha256
from p2pbench.linux import base_source
from p2pbench.linux.own_tree import UPLOAD_PACK, OwnTree
from p2pbench.linux.variants import Base, Variant, series_dir

# The same commits and the same patch files whatever the user's git configuration
# and clock say.
_GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_COMMITTER_NAME": "p2pbench",
    "GIT_COMMITTER_EMAIL": "p2pbench@localhost",
    "GIT_AUTHOR_NAME": "p2pbench",
    "GIT_AUTHOR_EMAIL": "p2pbench@localhost",
}


def git(
    directory: Path,
    *args: str,
    check: bool = True,
    extra: Mapping[str, str] | None = None,
    hold: Sequence[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Run git in a directory; a failure is an error that carries git's own words."""
    # A tree of ours may belong to another user: made as root, say, and now in a container.
    try:
        result = run(
            "git",
            "-c",
            "core.autocrlf=false",
            "-c",
            "gc.auto=0",
            "-c",
            "safe.directory=*",
            *args,
            cwd=directory,
            extra=_GIT | dict(extra or {}),
            hold=hold,
        )
    except KeyboardInterrupt:
        # It was killed and cannot have removed its lock, which stops every git that follows.
        (directory / ".git" / "index.lock").unlink(missing_ok=True)
        raise
    if check and result.returncode:
        raise BenchError(
            f"git {args[0]} in {shown(directory)} failed: {why(result.stderr or result.stdout)}"
        )
    return result


def tree_dir(variant: Variant) -> Path:
    """Return where the variant's source tree lies."""
    return BUILD / "linux" / variant.release / variant.name


def _repository(sha256: str) -> Path:
    return cache_dir() / "base" / f"{sha256[:16]}.git"


def _tarball(base: Base) -> Path:
    """Return where the base's source is: $P2PBENCH_BASE, else where its package puts it."""
    return Path(os.environ.get("P2PBENCH_BASE") or base.tarball).resolve()


def have_base(base: Base) -> bool:
    """Say whether the base that BASE names has been unpacked: its tarball is not needed then."""
    return _repository(base.sha256).is_dir()


def installed_version(package: str) -> str:
    """Return the installed version of a Debian package, or an empty string."""
    try:
        done = run("dpkg-query", "-W", "-f=${Version}", package)
    except BenchError:  # another distribution
        return ""
    return "" if done.returncode else done.stdout


def base_tarball(base: Base) -> str:
    """Check that the base's source is there, wherever it came from; return its tarball's sha256.

    The package may be of another version than BASE names: it is used with a warning, as the
    patches decide.
    """
    given = os.environ.get("P2PBENCH_BASE")
    if not given and have_base(base):
        return base.sha256
    tarball = _tarball(base)
    if not tarball.is_file():
        raise BenchError(
            f"P2PBENCH_BASE={given}: no such file" if given else base_source.way_out(base)
        )
    sha256 = file_sha256(tarball)
    if sha256 != base.sha256 and given:
        raise BenchError(
            f"P2PBENCH_BASE={given} has the sha256 {sha256}; the "
            f"{base.tarball.name} of {base.package} {base.version} has {base.sha256}"
        )
    if sha256 != base.sha256:
        version = installed_version(base.package) or "another version"
        print(
            f"warning: {base.package} is {version}, linux/{base.release}/BASE was made with "
            f"{base.version}; it is used as long as every patch applies",
            file=sys.stderr,
        )
    return sha256


def base_repository(base: Base, sha256: str) -> Path:
    """Return a bare git repository with the base as its one commit, made once per tarball."""
    repository = _repository(sha256)
    if not repository.is_dir():
        with locked("base") as hold:
            if not repository.is_dir():
                _unpack(base, sha256, repository, hold)
    cache.use(repository)
    return repository


def _unpack(base: Base, sha256: str, repository: Path, hold: int) -> None:
    tarball = _tarball(base)
    print(f"unpacking {tarball.name}", flush=True)
    scratch = repository.parent / f".unpack-{os.getpid()}"
    try:
        scratch.mkdir(parents=True)
        git(scratch, "init", "-q", "--bare", "-b", "base", ".")
        # A fault of the first program ends the stream without the word that --done waits for.
        done = run(
            "sh",
            "-c",
            '"$1" -m p2pbench.linux.import_tar "$2" "$3" | '
            "git -c core.compression=1 fast-import --quiet --done --depth=0",
            "sh",
            sys.executable,
            tarball,
            f"{base.package} {sha256[:16]}",
            cwd=scratch,
            extra=_GIT | own_environment(),
            hold=(hold,),
        )
        if done.returncode:
            raise BenchError(f"cannot unpack {tarball} to {repository.parent}: {why(done.stderr)}")
        scratch.rename(repository)
    except OSError as error:
        raise BenchError(f"cannot unpack {tarball} to {repository.parent}: {error}") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _apply_error(directory: Path, patch: Path, onto: str) -> BenchError:
    """Name the patch, the file and the hunk that git could not apply."""
    tried = git(directory, "apply", "--reject", "--verbose", str(patch), check=False)
    git(directory, "reset", "-q", "--hard", check=False)
    git(directory, "clean", "-q", "-f", "-d", "-e", "obj-*", check=False)
    hunks = []
    current = "?"
    for line in tried.stderr.splitlines():
        if found := re.match(r"Applying patch (\S+) with", line):
            current = found[1].rstrip(".")
        elif found := re.match(r"error: (\S+): (No such file|.*does not exist)", line):
            hunks.append(f"{found[1]}: no such file in {onto}")
        elif found := re.match(r"Rejected hunk #(\d+)", line):
            hunks.append(f"{current} hunk #{found[1]}")
    what = "; ".join(hunks) or why(tried.stderr)
    return BenchError(f"{shown(patch)}: does not apply to {onto}: {what}")


def notes_of(patch: Path) -> str:
    """Return what a patch says below its "---", which `git am` leaves out of the commit."""
    notes = re.search(r"^---\n\nNotes:\n((?:(?: {4}.*)?\n)+?)\n(?=\S| \S)", patch.read_text(), re.M)
    return re.sub(r"^ {4}", "", notes[1], flags=re.M) if notes else ""


def _apply(directory: Path, variant: Variant, name: str) -> None:
    for patch in variant.patches_of(name):
        result = git(
            directory,
            "am",
            "-q",
            "--committer-date-is-author-date",
            "--keep-non-patch",
            str(patch),
            check=False,
        )
        if result.returncode:
            git(directory, "am", "--abort", check=False)
            raise _apply_error(directory, patch, str(variant.own or "the base"))
        if notes := notes_of(patch):
            git(directory, "notes", "add", "-f", "-m", notes)
    git(directory, "tag", "-f", f"p2pbench/{name}")


def _series_state(variant: Variant) -> str:
    return "\n".join(
        f"{patch.parent.name}/{patch.name} {file_sha256(patch)}" for patch in variant.patches()
    )


def _changes(directory: Path) -> bool:
    """Say whether a tree holds changes or new files that are not committed.

    The base's own .gitignore ignores everything that is not in the base, so it
    cannot be asked for new files.
    """
    return bool(
        git(directory, "status", "--porcelain", "-uno").stdout
        or git(
            directory,
            "ls-files",
            "--others",
            "-x",
            "/obj-*/",
            "-x",
            ".checkpatch-*",
            "-x",
            "__pycache__",
        ).stdout
    )


def _unsaved_work(directory: Path) -> str:
    """Say what a tree holds that the patches in linux/ may not; empty when nothing."""
    applied = git(directory, "rev-parse", "-q", "--verify", "p2pbench/applied", check=False)
    if applied.returncode:
        return ""
    if _changes(directory):
        return "changes that are not committed"
    if git(directory, "rev-parse", "HEAD").stdout != applied.stdout:
        return "commits that are not exported"
    return ""


def check_saved(variant: Variant) -> None:
    """Raise when the variant's tree holds work that linux/ does not: it must not be lost."""
    directory = tree_dir(variant)
    work = _unsaved_work(directory) if (directory / ".git").is_dir() else ""
    if work and variant.own:
        raise BenchError(
            f"{shown(directory)} holds {work}, and is made from {variant.own.tree}: "
            "put them there, or throw them away with "
            f"`rm -r {shown(directory)}`"
        )
    if work:
        raise BenchError(
            f"{shown(directory)} holds {work}; keep them with `make series-export "
            f"VARIANT={variant.name}`, or throw them away with "
            f"`rm -r {shown(directory)}`"
        )


def make_tree(variant: Variant) -> Path:
    """Bring the variant's tree to the state of its series in linux/ and return it.

    A tree that holds work which is not in linux/ yet is never touched.
    """
    with locked("trees", BUILD):
        return _make_tree(variant)


def _make_tree(variant: Variant) -> Path:
    below = variant.own.object if variant.own else base_tarball(variant.base)
    directory = tree_dir(variant)
    stamp = directory / ".git" / "p2pbench-state"
    state = f"{below}\n{_series_state(variant)}"
    check_saved(variant)
    if stamp.is_file() and stamp.read_text() == state:
        return directory
    bare = f"{below}\n"
    if not stamp.is_file() or not stamp.read_text().startswith(bare):
        shutil.rmtree(directory, ignore_errors=True)
        directory.parent.mkdir(parents=True, exist_ok=True)
        if variant.own:
            _fetch(variant.own, directory)
        else:
            git(
                directory.parent,
                "clone",
                "-q",
                "-b",
                "base",
                str(base_repository(variant.base, below)),
                str(directory),
            )
    # From here to the tag at the end the tree is ours: it holds no work that could be
    # lost, and nothing that could be exported, even if we are interrupted.
    stamp.write_text(bare)
    (directory / ".git" / "index.lock").unlink(missing_ok=True)
    git(directory, "am", "--abort", check=False)
    git(directory, "tag", "-d", "p2pbench/applied", check=False)
    git(directory, "update-ref", "-d", "refs/notes/commits")
    git(directory, "config", "notes.rewriteRef", "refs/notes/commits")
    (directory / ".git" / "info" / "exclude").write_text("/obj-*\n")
    git(directory, "checkout", "-q", "-f", "-B", variant.name, "base")
    git(directory, "clean", "-q", "-f", "-d", "-x", "-e", "/obj-*")
    for name in variant.series:
        _apply(directory, variant, name)
    git(directory, "tag", "-f", "p2pbench/applied")
    stamp.write_text(state)
    return directory


def _fetch(own: OwnTree, directory: Path) -> None:
    """Make a repository with the commit of a user's tree, without its past, as branch base.

    It is a copy: whatever becomes of the user's repository, ours stays whole.
    """
    print(f"fetching {own}", flush=True)
    git(directory.parent, "init", "-q", str(directory))
    git(
        directory,
        "fetch",
        "-q",
        "--no-tags",
        "--depth=1",
        f"--upload-pack={UPLOAD_PACK}",
        str(own.directory),
        f"{own.commit}:refs/heads/base",
    )


def export_series(variant: Variant) -> list[str]:
    """Write the tree's commits back as patches; return the names of the files that changed.

    Commits up to the tag of a lower series belong to it; what stands on top of
    the last tag belongs to the variant's last series. A new file replaces an old
    one only when all of them were written.
    """
    directory = tree_dir(variant)
    if not (directory / ".git").is_dir():
        raise BenchError(
            f"{shown(directory)} is not there; `make tree VARIANT={variant.name}` makes it"
        )
    if variant.last:
        raise BenchError(f'variant "{variant.name}" is part of a series; export the whole')
    if not variant.series:
        raise BenchError(f'variant "{variant.name}" is the base alone: it has no series to export')
    if git(directory, "rev-parse", "-q", "--verify", "p2pbench/applied", check=False).returncode:
        raise BenchError(
            f"{shown(directory)} is not complete: its series was not applied to the "
            f"end; `make tree VARIANT={variant.name}` does that"
        )
    if _changes(directory):
        raise BenchError(
            f"{shown(directory)} has changes that are not committed; commit them first"
        )
    changed = []
    lower = "base"
    for name in variant.series:
        upper = "HEAD" if name == variant.series[-1] else f"p2pbench/{name}"
        if (
            git(directory, "merge-base", "--is-ancestor", lower, upper, check=False).returncode
            or git(directory, "merge-base", "--is-ancestor", upper, "HEAD", check=False).returncode
        ):
            raise BenchError(
                f"{shown(directory)}: the commits of series {name} were rewritten; "
                f"move the tag p2pbench/{name} to its last commit"
            )
        changed += _export(directory, series_dir(variant.release, name), f"{lower}..{upper}")
        lower = upper
    git(directory, "tag", "-f", "p2pbench/applied")
    stamp = directory / ".git" / "p2pbench-state"
    stamp.write_text(f"{base_tarball(variant.base)}\n{_series_state(variant)}")
    return changed


def _export(directory: Path, target: Path, commits: str) -> list[str]:
    scratch = target.parent / f".export-{target.name}-{os.getpid()}"
    try:
        git(
            directory,
            "format-patch",
            "-q",
            "-N",
            "--zero-commit",
            "--no-signature",
            "--full-index",
            "--no-renames",
            "--notes",
            "-o",
            str(scratch),
            commits,
        )
        names = sorted(path.name for path in scratch.glob("*.patch"))
        new = {name: (scratch / name).read_bytes() for name in names}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    new["series"] = "".join(f"{name}\n" for name in names).encode()
    changed = []
    for file, content in new.items():
        path = target / file
        if not path.is_file() or path.read_bytes() != content:
            partial = path.with_name(f".{file}.new")
            partial.write_bytes(content)
            partial.rename(path)
            changed.append(shown(path))
    for old in target.glob("*.patch"):
        if old.name not in new:
            old.unlink()
            changed.append(f"{shown(old)} (removed)")
    return changed

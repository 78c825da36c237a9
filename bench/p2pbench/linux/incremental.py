# SPDX-License-Identifier: GPL-2.0
"""What make has to build again, decided by content.

make goes by times, and a checkout makes every file new. So each build leaves a list of the sources
that its objects were made from, and before the next one all sources get one old time but those
whose content the list does not have. Objects may then come from the tree of another variant, too.
"""

import math
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from p2pbench.base import program
from p2pbench.base.errors import BenchError
from p2pbench.base.paths import shown
from p2pbench.linux.tree import git

# In the directory of the objects: the tools, then a line for each source, its git blob and path.
_LIST = "p2pbench.sources"
# The time of a source that has not changed: older than any object.
_OLD = 0
# In the record of an object: its source, and each header that it includes.
_DEPENDENCY = re.compile(r"^(?:source_\S+ := |  )\.\./(\S+)(?: \\)?$", re.M)
# There too: an option that it looks at.
_OPTION = re.compile(r"\$\(wildcard include/config/(\w+)\)")


def compiler() -> str:
    """Return the first line of the compiler's and the linker's version."""
    lines = [program.run(tool, "--version").stdout.splitlines()[0] for tool in ("gcc", "ld")]
    return "; ".join(lines)


def sources(tree: Path) -> dict[str, str]:
    """Return the blob of each file of a tree by its path, as git's index has them."""
    entries = git(tree, "ls-files", "-s", "-z").stdout.split("\0")
    pairs = (entry.split("\t", 1) for entry in entries if entry)
    return {path: stage.split()[1] for stage, path in pairs}


def nearest(content: Mapping[str, str], candidates: Iterable[Path]) -> Path | None:
    """Return the directory of objects whose sources differ least from content, None if none has."""
    best: Path | None = None
    least = 0
    for objects in candidates:
        built = _read(objects)
        count = len(_differing(content, built))
        if built and (best is None or count < least):
            best, least = objects, count
    return best


def borrow(source: Path, objects: Path) -> None:
    """Copy the objects of another variant's tree, to go on with them.

    The recipes of the host's tools name the directory that they were built in. They are made to
    name the new one: every object depends on objtool, which must not be built again.
    """
    if source == objects:
        return
    # Under another name until it is whole: it may be interrupted, and has a list of its own.
    partial = objects.with_name(f"{objects.name}.new")
    shutil.rmtree(objects, ignore_errors=True)
    shutil.rmtree(partial, ignore_errors=True)
    copy = program.run("cp", "-a", "--reflink=auto", source, partial)
    if copy.returncode:
        shutil.rmtree(partial, ignore_errors=True)
        raise BenchError(f"cannot copy {shown(source)}: {program.why(copy.stderr)}")
    for record in (partial / "tools").rglob(".*.cmd"):
        text = record.read_text(errors="replace")
        record.write_text(text.replace(f"{source.parent}/", f"{objects.parent}/"))
    partial.rename(objects)


def drop_half_made(objects: Path) -> None:
    """Remove what a build that was killed had begun to make: it is newer than its record.

    Kbuild writes an object's record when the object is whole. With the record of an older build,
    one that the compiler has left half, or objtool has not seen, would stay.
    """
    for record in objects.rglob(".*.cmd"):
        made = record.with_name(record.name.removeprefix(".").removesuffix(".cmd"))
        if made.is_file() and made.stat().st_mtime_ns > record.stat().st_mtime_ns:
            made.unlink()


def mark(tree: Path, objects: Path, content: Mapping[str, str]) -> set[str]:
    """Make every source old but those that the objects were not made from; return these.

    What is returned is taken off the objects' list, so that a build which is interrupted begins
    with them again.
    """
    built = _read(objects)
    changed = _differing(content, built)
    for path in content:
        file = tree / path
        if path in changed:
            os.utime(file, follow_symlinks=False)
        elif file.lstat().st_mtime != _OLD:  # git reads again what was touched
            os.utime(file, (_OLD, _OLD), follow_symlinks=False)
    write_list(objects, {path: blob for path, blob in built.items() if path not in changed})
    return changed & content.keys()


def edited(tree: Path, objects: Path, content: Mapping[str, str]) -> set[str]:
    """Return the paths that were changed since mark(), in the tree or in git's index."""
    marked = (objects / _LIST).stat().st_mtime_ns
    return {path for path in content if _changed_at(tree / path) > marked} | _differing(
        content, sources(tree)
    )


def _changed_at(file: Path) -> float:
    """Return a file's time in ns; one that is gone has changed just now."""
    try:
        return file.lstat().st_mtime_ns
    except OSError:
        return math.inf


def write_list(objects: Path, content: Mapping[str, str]) -> None:
    """Write down what the objects are made from."""
    partial = objects / f".{_LIST}.new"
    lines = [compiler(), *(f"{blob} {path}" for path, blob in content.items())]
    partial.write_text("".join(f"{line}\n" for line in lines))
    partial.rename(objects / _LIST)


def to_build(objects: Path, changed: set[str]) -> int:
    """Return how many objects make will build again: for changed sources, or another .config."""
    options = _assignments(objects / "include/config/auto.conf")
    changed_options = {line.split("=")[0] for line in options ^ _assignments(objects / ".config")}
    count = 0
    for record in objects.rglob(".*.o.cmd"):
        text = record.read_text(errors="replace")
        is_older = any(path in changed for path in _DEPENDENCY.findall(text))
        is_configured = any(f"CONFIG_{name}" in changed_options for name in _OPTION.findall(text))
        count += is_older or is_configured
    return count


def _assignments(config: Path) -> set[str]:
    """Return the lines of a configuration that set an option; none if it is not there.

    Texts are without their quotation marks, which only one of the kernel's two files has.
    """
    try:
        text = config.read_text().replace('"', "")
        return set(re.findall(r"^CONFIG_\w+=.*$", text, re.M))
    except OSError:
        return set()


def _read(objects: Path) -> dict[str, str]:
    """Return what objects are made from; nothing when it was with other tools than these.

    Objects hold no record of the linker, and tools of the host's may not even run any more.
    """
    try:
        tools, *lines = (objects / _LIST).read_text().splitlines()
    except (OSError, ValueError):
        return {}
    if tools != compiler():
        return {}
    pairs = (line.split(" ", 1) for line in lines)
    return {path: blob for blob, path in pairs}


def _differing(content: Mapping[str, str], built: Mapping[str, str]) -> set[str]:
    """Return the paths that one of the two lacks, or has with other content."""
    return {path for path, _ in content.items() ^ built.items()}

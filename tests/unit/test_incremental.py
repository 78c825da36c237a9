# SPDX-License-Identifier: GPL-2.0
"""make builds again what differs in content from what the objects were made from, and only that."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from p2pbench.base import program
from p2pbench.linux import incremental, tree

# Two objects, of which one includes the header; records as Kbuild writes them.
MAKEFILE = """\
all: first.o second.o ; @:
first.o: ../first.c ../both.h
second.o: ../second.c
%.o:
\tgcc -I.. -c -o $@ $<
\techo 'source_$@ := $<' >.$@.cmd
\tif [ $@ = first.o ]; then echo '  ../both.h \\\\' >>.$@.cmd; fi
\techo $@ >>log
"""
FILES = {
    "first.c": '#include "both.h"\nint first = NUMBER;\n',
    "second.c": "int second;\n",
    "both.h": "#define NUMBER 1\n",
}


def make_checkout(directory: Path, **changes: str) -> Path:
    """Return a new checkout of the files, changed and committed."""
    directory.mkdir()
    tree.git(directory, "init", "-q")
    for name, text in (
        FILES | {name.replace("_", "."): text for name, text in changes.items()}
    ).items():
        (directory / name).write_text(text)
    (directory / "obj").mkdir()
    (directory / "obj" / "Makefile").write_text(MAKEFILE)
    (directory / ".git" / "info" / "exclude").write_text("obj\n")
    tree.git(directory, "add", ".")
    tree.git(directory, "commit", "-q", "-m", "files")
    return directory


def build(checkout: Path) -> list[str]:
    """Build as the harness does; return the objects that make made."""
    objects = checkout / "obj"
    content = incremental.sources(checkout)
    incremental.mark(checkout, objects, content)
    (objects / "log").unlink(missing_ok=True)
    subprocess.run(["make", "-s", "-C", objects], check=True)
    incremental.write_list(objects, content)
    return sorted((objects / "log").read_text().split()) if (objects / "log").exists() else []


@pytest.fixture
def built(tmp_path: Path) -> Path:
    checkout = make_checkout(tmp_path / "built")
    assert build(checkout) == ["first.o", "second.o"]
    return checkout


def change(checkout: Path, name: str, text: str) -> None:
    (checkout / name).write_text(text)
    tree.git(checkout, "add", name)


def test_a_checkout_that_makes_every_file_new_builds_nothing(built: Path) -> None:
    for name in FILES:
        os.utime(built / name)
    assert build(built) == []


def test_a_changed_header_builds_what_includes_it(built: Path) -> None:
    change(built, "both.h", "#define NUMBER 2\n")
    assert build(built) == ["first.o"]
    assert build(built) == []


def test_a_change_that_is_taken_back_is_built_again(built: Path) -> None:
    """A mistake is planted in a tree, built, and taken out: its object must not stay."""
    change(built, "second.c", "int second = 1;\n")
    assert build(built) == ["second.o"]
    change(built, "second.c", FILES["second.c"])
    assert build(built) == ["second.o"]


def test_a_build_that_was_interrupted_begins_with_its_changes_again(built: Path) -> None:
    """It made an object of the change and had no time to say so; then the change is taken back."""
    change(built, "second.c", "int second = 1;\n")
    incremental.mark(built, built / "obj", incremental.sources(built))
    subprocess.run(["make", "-s", "-C", built / "obj"], check=True)
    change(built, "second.c", FILES["second.c"])
    assert build(built) == ["second.o"]


def test_what_is_edited_while_it_is_built_is_told(built: Path) -> None:
    content = incremental.sources(built)
    incremental.mark(built, built / "obj", content)
    assert incremental.edited(built, built / "obj", content) == set()
    time.sleep(0.05)  # the kernel's clock for files ticks in 4 ms
    (built / "both.h").write_text("#define NUMBER 2\n")
    change(built, "second.c", "int second = 1;\n")
    assert incremental.edited(built, built / "obj", content) == {"both.h", "second.c"}


def test_an_object_that_was_left_half_made_is_made_again(built: Path) -> None:
    """The compiler was killed with nothing changed but options, which are no sources."""
    half = built / "obj" / "second.o"
    half.write_text("half")
    later = (built / "obj" / ".second.o.cmd").stat().st_mtime_ns + 1
    os.utime(half, ns=(later, later))
    incremental.drop_half_made(built / "obj")
    assert build(built) == ["second.o"]
    incremental.drop_half_made(built / "obj")
    assert build(built) == []


def test_the_objects_of_another_tree_are_gone_on_with(built: Path, tmp_path: Path) -> None:
    other = make_checkout(tmp_path / "other", second_c="int second = 2;\n")
    shutil.rmtree(other / "obj")
    incremental.borrow(built / "obj", other / "obj")
    assert build(other) == ["second.o"]
    assert build(built) == []


def test_a_copy_that_was_interrupted_has_no_objects(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_checkout(tmp_path / "other")
    run = program.run

    def interrupted(*command: str | Path) -> None:
        run(*command)
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        incremental.borrow(built / "obj", other / "obj")
    monkeypatch.undo()
    assert incremental.nearest(incremental.sources(other), [other / "obj"]) is None
    incremental.borrow(built / "obj", other / "obj")
    assert build(other) == []


def test_the_tree_that_differs_least_is_the_nearest(built: Path, tmp_path: Path) -> None:
    far = make_checkout(tmp_path / "far", second_c="int a;\n", both_h="#define NUMBER 3\n")
    build(far)
    wanted = incremental.sources(make_checkout(tmp_path / "new", second_c="int second = 2;\n"))
    empty = tmp_path / "empty"
    assert incremental.nearest(wanted, [empty, far / "obj", built / "obj"]) == built / "obj"
    assert incremental.nearest(wanted, [empty]) is None


def test_how_many_objects_a_change_takes_is_known_before(built: Path) -> None:
    objects = built / "obj"
    assert incremental.to_build(objects, {"both.h"}) == 1
    assert incremental.to_build(objects, {"both.h", "second.c"}) == 2
    assert incremental.to_build(objects, {"unused.h"}) == 0


def test_the_recipes_of_borrowed_tools_name_their_new_place(built: Path, tmp_path: Path) -> None:
    record = built / "obj" / "tools" / ".objtool.cmd"
    record.parent.mkdir()
    record.write_text(f"cmd := gcc -o {built}/obj/tools/objtool\n")
    (tmp_path / "other").mkdir()
    incremental.borrow(built / "obj", tmp_path / "other" / "obj")
    copied = (tmp_path / "other" / "obj" / "tools" / ".objtool.cmd").read_text()
    assert copied == f"cmd := gcc -o {tmp_path}/other/obj/tools/objtool\n"


def test_another_configuration_takes_what_looks_at_the_option(tmp_path: Path) -> None:
    """In the records of the kernel's own build."""
    (tmp_path / "include" / "config").mkdir(parents=True)
    (tmp_path / "include" / "config" / "auto.conf").write_text("CONFIG_A=y\nCONFIG_B=b\n")
    for name, option in (("one", "A"), ("two", "B"), ("three", "NEW"), ("four", "AB")):
        record = f"deps_{name}.o := \\\n    $(wildcard include/config/{option}) \\\n"
        (tmp_path / f".{name}.o.cmd").write_text(record)
    (tmp_path / ".config").write_text(
        '# comment\nCONFIG_A=y\nCONFIG_B="b"\n# CONFIG_C is not set\n'
    )
    assert incremental.to_build(tmp_path, set()) == 0
    (tmp_path / ".config").write_text('CONFIG_A=y\nCONFIG_B="c"\nCONFIG_NEW=y\n')
    assert incremental.to_build(tmp_path, set()) == 2

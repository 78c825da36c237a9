# SPDX-License-Identifier: GPL-2.0
"""make takes what it knows, refuses the rest before anything runs, and lets nothing else in."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from p2pbench.base.paths import ROOT

TEXT = (ROOT / "Makefile").read_text()
HELP = (ROOT / "bench" / "help.txt").read_text()
CLEAN = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
PLAN = ("plan", "MATRIX=smoke")


def make(*args: str, directory: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Run make with no other variables in the environment than these."""
    return subprocess.run(
        ["make", *args], cwd=directory, env=CLEAN | env, capture_output=True, text=True
    )


def variables() -> dict[str, list[str]]:
    """The variables of each target that has some."""
    lines = dict(re.findall(r"^VARIABLES_([\w-]+) = (.*)$", TEXT, re.M))
    return {
        target: (lines["bench"] if names == "$(VARIABLES_bench)" else names).split()
        for target, names in lines.items()
    }


def targets() -> list[str]:
    """All that make can be asked for."""
    return re.search(r"^TARGETS = ((?:.*\\\n)*.*)", TEXT, re.M)[1].replace("\\\n", " ").split()


def test_help_names_every_target_and_every_variable() -> None:
    assert len(targets()) > 15
    for target in targets():
        assert target == "help" or re.search(rf"^  make {target} ", HELP, re.M), target
    for target, names in variables().items():
        part = re.search(rf"^  make {target} .*\n(?:      .*\n)*", HELP, re.M)
        assert part, target
        if target != "plan":
            assert [name for name in names if f"{name}=" not in part[0]] == [], target


def test_every_rule_is_a_target_and_every_target_has_a_rule() -> None:
    assert set(re.findall(r"^([a-z-]+):$", TEXT, re.M)) == set(targets())


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("matrix=full", "MATRIX"),
        ("MATRX=full", "MATRIX"),
        ("Seed=1", "SEED"),
        ("pytest-args=-x", "PYTEST_ARGS"),
        ("KERNEL=/home/me/linux", ""),
        ("VARIANT=page", ""),
        ("CC=clang", ""),
        ("SHELL=/bin/bash", ""),
        ("it's=1", ""),
    ],
)
def test_a_variable_that_the_target_does_not_know_is_refused(given: str, meant: str) -> None:
    done = make("plan", given)  # the variables of bench, should it not be refused
    assert done.returncode == 2
    name = given.split("=")[0]
    assert (
        f"*** make plan has no variable {name}{f'; did you mean {meant}?' if meant else ''} "
        "(it has: BUDGET MATRIX PYTEST_ARGS RESUME SEED)." in done.stderr
    )
    assert done.stdout == "" and done.stderr.count("\n") == 1


def test_a_word_that_is_no_target_is_refused_before_those_that_are_one() -> None:
    done = make("plan", "full")
    assert done.returncode == 2 and done.stdout == ""
    assert "full: no such target (there are: help " in done.stderr


def test_a_variable_in_the_shell_is_not_taken_for_one_that_was_given() -> None:
    done = make("plan", MATRIX="full")
    assert done.returncode == 2
    assert "MATRIX is set in the shell's environment" in done.stderr
    # One of another target's, or an empty one, is nobody's business.
    done = make(*PLAN, VARIANT="x", A="x", RUN="x", PYTHON="/nonexistent", SEED="")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("value", ["it's a.toml", '$HOME "b" `id`;#x.toml'])
def test_a_value_reaches_the_harness_as_it_is_written(value: str, tmp_path: Path) -> None:
    path = tmp_path / value
    shutil.copyfile(ROOT / "configs" / "matrix" / "smoke.toml", path)
    done = make("plan", f"MATRIX={path}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 boots in 1 block" in done.stdout


@pytest.mark.parametrize("given", ["MATRIX=a\nb.toml", "PYTEST_ARGS=-k\nbar", "SEED=1\n"])
def test_a_value_of_two_lines_is_refused(given: str) -> None:
    done = make("plan", given)
    assert done.returncode == 2 and done.stdout == ""
    assert f"*** {given.split('=')[0]} has a line break" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_run_is_named_as_it_is_written() -> None:
    for args in (("report", "RUN=a$b"), ("compare", "A=a$b", "B=c")):
        assert 'no run "a$b"' in make(*args).stderr


def test_a_makefile_of_another_directory_is_refused(tmp_path: Path) -> None:
    done = make("-f", str(ROOT / "Makefile"), *PLAN, directory=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert "write make -C and the checkout, in place of make -f" in done.stderr
    assert make("-C", str(ROOT), "help", directory=tmp_path).returncode == 0
    (tmp_path / "own.mk").write_text("X = 1\n")
    assert make("help", MAKEFILES=str(tmp_path / "own.mk")).returncode == 0


def test_a_plan_is_of_the_boots_that_a_selection_leaves() -> None:
    assert "1 boots in 1 blocks" in make(*PLAN, "PYTEST_ARGS=-k bar").stdout
    assert "Error 5" in make(*PLAN, "PYTEST_ARGS=-k gpu").stderr


def test_a_run_whose_name_looks_like_an_option_is_a_run() -> None:
    for args in (["report", "RUN=-h"], ["compare", "A=-h", "B=x"], ["reference", "RUN=-h"]):
        done = make(*args)
        assert done.returncode == 2 and 'no run "-h"' in done.stderr


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        (["test"], ["tests", "-m", '"not', 'full"']),
        (["test", "TESTS="], ["tests", "-m", '"not', 'full"']),
        (["test", "TESTS=tests/debug"], ["tests/debug"]),
        (["test-full"], ["tests"]),
    ],
)
def test_long_tests_run_where_they_are_asked_for(words: list[str], chosen: list[str]) -> None:
    line = make(*words, "-n").stdout.splitlines()[-1]
    assert line.split("--rootdir=tests")[1].split() == chosen


def test_a_test_that_is_looked_for_elsewhere_is_an_error() -> None:
    """pytest would take the configuration of what it finds there."""
    done = make("test", "TESTS=bench", "-n")
    assert done.returncode == 2 and "TESTS=bench: tests are below tests/" in done.stderr
    assert make("test", f"TESTS={ROOT}/tests/unit", "-n").returncode == 0


HOSTILE = {
    "PYTEST_ADDOPTS": "-k nothing",
    "PYTEST_PLUGINS": "no_such_plugin",
    "PYTEST_TIMEOUT": "0.001",
    "PYTHONHOME": "/nonexistent",
    "PYTHONSTARTUP": "/nonexistent",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "PYTHONIOENCODING": "ascii",
    "PYTHONUTF8": "0",
    "PYTHONPATH": "/nonexistent",
    "PYTHONPYCACHEPREFIX": "/nonexistent",
    "PYTHONINSPECT": "1",
    "PYTHONPLATLIBDIR": "x",
    "PYTHONBREAKPOINT": "x",
    "PYTHON": "/nonexistent",
    "LC_ALL": "de_DE.ISO-8859-1",
    "LANGUAGE": "de",
    "LD_PRELOAD": "/nonexistent.so",
    "LD_LIBRARY_PATH": "/nonexistent",
    "MPLBACKEND": "module://x",
    "MATPLOTLIBRC": "/x",
    "XDG_CACHE_HOME": "relative",
    "GIT_DIR": "/nonexistent",
    "KCFLAGS": "-O3",
    "CC": "clang",
    "CFLAGS": "-O0",
    "ARCH": "arm64",
    "MAKEFLAGS": "-j4",
    "BASH_ENV": "/nonexistent",
    "CLI": "false",
    "BOOTS": "false",
    "PYTEST": "false",
    "BASH_FUNC_f%%": "() { false; }",
    "a:b": "1",
    "a$b#c": "1",
}


def test_nothing_of_a_hostile_shell_changes_the_plan() -> None:
    plain, hostile = make(*PLAN, "SEED=1"), make(*PLAN, "SEED=1", **HOSTILE)
    lines = [re.sub(r" in [\d.]+s$", "", text.stdout, flags=re.M) for text in (plain, hostile)]
    assert plain.returncode == hostile.returncode == 0, hostile.stdout + hostile.stderr
    assert lines[0] == lines[1] and "b0-page-bar" in lines[0]


def test_python_gets_what_is_let_through_and_no_more(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nenv >>{tmp_path}/env\n")
    python.chmod(0o755)
    passed = {
        "ACCEL": "tcg",
        "P2PBENCH_CACHE": "/c",
        "CCACHE_DIR": "/d",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "20",
        "TMPDIR": "/tmp",
        "https_proxy": "p",
    }
    done = make("clean", f"PYTHON={python}", **HOSTILE | passed)
    assert done.returncode == 0, done.stderr
    env = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert env.pop("XDG_CACHE_HOME") == "relative"  # which paths.cache_dir() ignores
    assert {name: env.pop(name) for name in passed} == passed
    ours = {
        "PYTHONPATH": f"{ROOT}/bench",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",
        "PYTHONUTF8": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "MPLCONFIGDIR": f"{ROOT}/build/matplotlib",
    }
    assert {name: env.pop(name) for name in ours} == ours
    # The rest is make's and the shell's own, and what this test gave.
    assert set(env) <= {
        "PATH",
        "HOME",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "MAKEFLAGS",
        "MAKELEVEL",
        "MFLAGS",
        "MAKE_TERMOUT",
        "MAKE_TERMERR",
        "PYTHON",
    }


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "co:lon",
        "com,ma",
        "quo'te",
        'quo"te',
        "do$lar",
        "ha#sh",
        "per%cent",
        "semi;colon",
        "par(en",
        "eq=al",
        "ta\tb",
    ],
)
def test_a_checkout_where_nothing_can_be_built_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    shutil.copyfile(ROOT / "Makefile", tmp_path / name / "Makefile")
    done = make("plan", directory=tmp_path / name)
    assert done.returncode == 2 and done.stdout == ""
    assert re.search(
        r'\*\*\* the checkout is in ".*": make and .* in a path; move the checkout', done.stderr
    )
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["größe", "a+b@c~d_e-f.g"])
def test_a_checkout_in_another_language_is_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / name / "bench").mkdir(parents=True)
    shutil.copyfile(ROOT / "Makefile", tmp_path / name / "Makefile")
    shutil.copyfile(ROOT / "bench" / "help.txt", tmp_path / name / "bench" / "help.txt")
    assert make("help", directory=tmp_path / name).stdout.startswith("p2pbench: ")


def test_a_cache_where_nothing_can_be_built_is_refused_before_a_plan() -> None:
    for done in (
        make(*PLAN, P2PBENCH_CACHE="/mnt/my cache"),
        make(*PLAN, "P2PBENCH_CACHE=/mnt/my cache"),
    ):
        assert done.returncode == 2 and done.stdout == ""
        assert "error: the kernel cache is in '/mnt/my cache': make and" in done.stderr

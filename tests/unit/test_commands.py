# SPDX-License-Identifier: GPL-2.0
"""A command's output may be lost, or its end come from outside: that is one line, or none."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from p2pbench import __main__
from p2pbench.__main__ import main
from p2pbench.base.lock import locked
from p2pbench.base.paths import ROOT
from p2pbench.base.units import in_words
from p2pbench.measure.run import _new_directory
from p2pbench.report import build, index
from support import start_bench

SUBTEST = """\
def test_boot(subtests):
    with subtests.test(msg="one"):
        assert True
    with subtests.test(msg="two"):
        assert False
"""


@pytest.fixture
def run(synthetic: Any, tmp_path: Path) -> Path:
    """The directory of a run that is whole."""
    synthetic({"page/host": 1e8, "page/bar": 1e8}, blocks=2).write(tmp_path)
    return tmp_path


def shell(line: str, run: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which $0 is Python and $1 a run."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}", sys.executable, str(run)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "bench")},
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            '"$0" -m p2pbench report "$1" >/dev/full',
            "standard output: No space left on device; what follows is not shown\n",
        ),
        ('"$0" -m p2pbench report "$1" | head -1 >/dev/null', ""),
        ('"$0" -m p2pbench report "$1" >&-', ""),
        ('"$0" -m p2pbench report "$1" <&- >&- 2>&-', ""),
    ],
)
def test_a_report_is_made_whoever_reads_of_it(run: Path, line: str, said: str) -> None:
    done = shell(line, run)
    assert (done.returncode, done.stderr) == (0, said)
    assert (run / "report.html").is_file() and (run / "junit.xml").is_file()


def test_a_command_whose_output_is_its_result_fails_without_it(run: Path) -> None:
    program = (
        "import sys; from p2pbench import __main__ as m; from p2pbench.base import command; "
        "m.COMMANDS['tree'] = m.Command(lambda _: print('a/tree'), ''); "
        "sys.argv = ['p2pbench', 'tree']; sys.exit(command.run(m.main))"
    )
    assert shell(f'"$0" -c "{program}" >/dev/null', run).returncode == 0
    assert shell(f'"$0" -c "{program}" >/dev/full', run).returncode == 2


def test_two_runs_that_begin_in_one_second_have_directories_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("p2pbench.measure.run.RESULTS", tmp_path / "results")
    made = [_new_directory("one").name for _ in range(4)]
    assert len(set(made)) == 4 == len(list((tmp_path / "results").iterdir()))
    assert any(re.fullmatch(r"\d{8}-\d{6}-one-2", name) for name in made)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (3599.7, "1 h"),
        (5400, "1 h 30 min"),
        (108027, "30 h"),
        (109000, "30 h 17 min"),
    ],
)
def test_a_time_is_said_as_a_person_says_it(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.parametrize(
    "value", ["quick", "my own.toml", "it's.toml", "a$b", '"both\' kinds"', "back`tick\\", "a or b"]
)
def test_what_repeats_a_run_gets_through_the_shell_and_make(tmp_path: Path, value: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >{tmp_path}/args\n")
    python.chmod(0o755)
    matrix = {"name": "m", "file": value, "blocks": 1}
    header: Any = {"provenance": {}, "seed": 1, "selection": ["-k", value], "matrix": matrix}
    repeat = build._reproduce(header)
    subprocess.run(
        ["sh", "-c", f"{repeat} PYTHON={python}"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        env={"PATH": os.environ["PATH"]},
    )
    args = (tmp_path / "args").read_text().splitlines()
    assert f"--matrix={value}" in args and args[-2:] == ["-k", value]


@pytest.mark.parametrize("settings", ["bench/boots/pytest.ini", "tests/pytest.ini"])
def test_pytest_finds_subtests_with_the_settings_of(settings: str, tmp_path: Path) -> None:
    (tmp_path / "test_boots.py").write_text(SUBTEST)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", ROOT / settings, f"--rootdir={tmp_path}", tmp_path],
        text=True,
        capture_output=True,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert "fixture 'subtests' not found" not in done.stdout
    assert done.returncode == 1 and "1 failed" in done.stdout, done.stdout + done.stderr


def test_no_time_limit_of_the_users_ends_a_boot(tmp_path: Path) -> None:
    (tmp_path / "test_boots.py").write_text("import time\ndef test_boot():\n    time.sleep(1)\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            ROOT / "bench/boots/pytest.ini",
            f"--rootdir={tmp_path}",
            tmp_path,
        ],
        text=True,
        capture_output=True,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_TIMEOUT": "0.2"},
    )
    assert done.returncode == 0, done.stdout


PLAN = """\
blocks = 9
[[boots]]
variant = "page"
providers = "host"
[[workloads]]
rw = "randread"
bs = "4k"
runtime = "1s"
[[counts]]
variants = ["page", "pageless"]
rw = "randread"
bs = "4k"
iodepth = [1, 4, 16]
ios = 8000
"""


def test_a_plan_says_of_each_metric_that_it_compares_whether_it_can_decide(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(PLAN)
    done = start_bench(tmp_path, "--matrix", str(tmp_path / "own.toml"), "--collect-only")
    said, _ = done.communicate()
    assert [line for line in said.splitlines() if "better or worse" in line] == [
        f"9 blocks can call any of {cells} better or worse, which takes {blocks}"
        for cells, blocks in (
            ("3 cells of throughput in virtual time", 7),
            ("7 cells of latency in virtual time", 9),
            ("3 cells of instructions per I/O", 7),
        )
    ]


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ("tree --points 1", "--points 1"),
        ("tree --var page", "--var page"),
        ("report run --limit 1k", "--limit 1k"),
        ("clean everything", "everything"),
    ],
)
def test_a_command_takes_its_own_options_alone(
    words: str, refused: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
    assert f"unrecognized arguments: {refused}\n" in capsys.readouterr().err


def test_a_run_whose_name_is_no_text_and_a_report_that_is_none_do_not_stop_the_list_of_runs(
    tmp_path: Path,
) -> None:
    for name, text in {b"gr\xf6sse": "{}", b"deep": "[" * 5000}.items():
        directory = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        directory.mkdir()
        (directory / "report.json").write_text(text)
    listed = index.write(tmp_path).read_text(encoding="utf-8")
    assert "gr?sse" in listed and "report.json is no report: RecursionError" in listed


def test_clean_removes_what_a_link_leads_to_and_says_what_it_could_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "linux").mkdir(parents=True)
    (elsewhere / "tools.lock").touch()
    (tmp_path / "build").symlink_to(elsewhere)
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("p2pbench.base.paths.RESULTS", tmp_path / "results")
    monkeypatch.setattr("p2pbench.base.paths.BUILD", tmp_path / "build")
    monkeypatch.setattr("p2pbench.linux.variants.read_variants", dict)
    __main__._clean(argparse.Namespace())
    assert list(elsewhere.iterdir()) == [] and (tmp_path / "build").is_symlink()

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    (elsewhere / "linux").mkdir()
    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(PermissionError):
        __main__._clean(argparse.Namespace())


def test_clean_waits_for_what_is_being_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "build"
    monkeypatch.setenv("P2PBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("p2pbench.base.paths.RESULTS", tmp_path / "results")
    monkeypatch.setattr("p2pbench.base.paths.BUILD", directory)
    monkeypatch.setattr("p2pbench.linux.variants.read_variants", dict)
    clean = threading.Thread(target=__main__._clean, args=(argparse.Namespace(),))
    with locked("objects", directory):
        clean.start()
        clean.join(0.5)
        assert clean.is_alive() and directory.is_dir()
    clean.join(30)
    assert not clean.is_alive() and not directory.exists()

# SPDX-License-Identifier: GPL-2.0
"""What a run leaves behind: a directory of its own, JUnit's record, and how to repeat it."""

import json
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from straw import BOOTS, MATRIX, Straw
from support import eventually


def test_two_runs_of_one_matrix_at_one_time_do_not_meet(straw: Straw) -> None:
    started = [straw.start(f"--matrix={straw.matrix}") for _ in range(2)]
    ended = [(*process.communicate(), process.returncode) for process in started]
    assert [status for _, _, status in ended] == [0, 0], ended
    assert len(straw.runs()) == 2
    for run in straw.runs():
        assert len((run / "journal.jsonl").read_text().splitlines()) == 1 + len(BOOTS)


def test_a_selection_is_of_the_record_and_of_what_repeats_it(straw: Straw) -> None:
    done = straw.bench(f"--matrix={straw.matrix}", "-k", "b0 or b2", "--seed=7")
    assert done.returncode == 0, done.stdout
    (run,) = straw.runs()
    repeat = json.loads((run / "report.json").read_text())["reproduce"]
    assert repeat == f"make bench MATRIX={straw.matrix} SEED=7 PYTEST_ARGS=\"-k 'b0 or b2'\""
    words = shlex.split(repeat)
    again = straw.start_program(words)
    out, err = again.communicate()
    assert again.returncode == 0, out + err
    plans = [
        json.loads((path / "journal.jsonl").open().readline())["plan"] for path in straw.runs()
    ]
    assert len(plans) == 2 and plans[0] == plans[1] and len(plans[0]) == 2


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["bench/boots/test_boots.py::test_boot[b0-page-bar]"], "boots are chosen by words"),
        (["--setup-only"], "--setup-only: not for boots"),
        (["--setup-plan"], "--setup-plan: not for boots"),
        (["--fixtures"], "--fixtures: not for boots"),
        (["--fixtures-per-test"], "--fixtures-per-test: not for boots"),
        (["-p", "xdist.plugin", "-n", "2"], "a boot that is timed has the machine"),
        (
            ["-p", "xdist.plugin", "--dist=load", "--tx=popen"],
            "a boot that is timed has the machine",
        ),
    ],
)
def test_what_would_run_boots_twice_or_at_once_or_not_at_all_is_refused(
    straw: Straw, options: list[str], why: str
) -> None:
    done = straw.bench(f"--matrix={straw.matrix}", *options)
    assert done.returncode == 4
    assert why in done.stderr and "Traceback" not in done.stdout + done.stderr
    assert straw.runs() == []


def test_pytests_help_is_shown_and_nothing_runs(straw: Straw) -> None:
    done = straw.bench("--help")
    assert done.returncode == 0 and "--matrix=MATRIX" in done.stdout, done.stderr
    assert "Traceback" not in done.stderr and straw.runs() == []


def test_junit_has_what_went_wrong_as_a_ci_shows_it(straw: Straw) -> None:
    straw.behave(
        {
            "b0-page-bar": {"at": "fio", "do": "fall back"},
            "b1-page-bar": {"at": "setup", "do": "fail"},
            "b2-page-bar": {"at": "memory", "do": "die"},
        }
    )
    done = straw.bench(f"--matrix={straw.matrix}")
    assert done.returncode == 1
    assert straw.cases() == {
        "b0-page-bar": "",
        "b0-page-bar randread-16k-qd1": "failure",
        "b1-page-bar": "error",
        "b2-page-bar": "error",
        "report": "failure",
    }
    said = [line for line in done.stdout.splitlines() if line.startswith("[2/3]")]
    assert len(said) == 1 and "got a planted fault of two lines in " in said[0]


def test_a_parameter_that_the_kernel_does_not_know_makes_no_figure(
    straw: Straw, tmp_path: Path
) -> None:
    slow = tmp_path / "slow.toml"
    boots = MATRIX.replace('variant = "page"', 'variant = "slow"')
    slow.write_text(
        f"""{boots}
[variants.slow]
kernel = "page"
cmdline = "nvmet.plantd_rounds=83"
"""
    )
    straw.behave({"b1-slow-bar": {"at": "command", "do": "exit"}})
    done = straw.bench(f"--matrix={slow}")
    assert done.returncode == 1
    assert [name for name, how in straw.cases().items() if how == "error"] == ["b1-slow-bar"]
    assert "a kernel with the parameter nvmet.plantd_rounds, shown in sysfs" in done.stdout


def test_a_resume_of_a_whole_run_keeps_its_junit(straw: Straw) -> None:
    assert straw.bench(f"--matrix={straw.matrix}").returncode == 0
    before = straw.cases()
    (run,) = straw.runs()
    assert straw.bench(f"--resume={run}/").returncode == 0
    assert straw.cases() == before and len(before) == 2 * len(BOOTS) + 1


def test_pytests_own_junit_goes_where_the_user_says(straw: Straw, tmp_path: Path) -> None:
    own = tmp_path / "own.xml"
    assert straw.bench(f"--matrix={straw.matrix}", f"--junitxml={own}").returncode == 0
    names = [case.get("name") for case in ElementTree.parse(own).getroot().iter("testcase")]
    assert f"test_boot[{BOOTS[0]}]" in names
    done = straw.bench(f"--matrix={straw.matrix}", f"--junitxml={own}/none.xml")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "Not a directory" in done.stderr or "File exists" in done.stderr
    assert "Traceback" not in done.stdout


def test_a_directory_of_the_users_is_left_alone(straw: Straw) -> None:
    empty = straw.results / "mine"
    empty.mkdir()
    done = straw.bench(f"--resume={empty}")
    assert done.returncode == 4 and "no run" in done.stderr
    assert list(empty.iterdir()) == []
    subprocess.run(["rmdir", empty], check=True)


def test_a_run_goes_on_with_the_kernels_that_it_chose_although_it_had_not_built_them(
    straw: Straw,
) -> None:
    assert straw.bench(f"--matrix={straw.matrix}", "-k", "b0").returncode == 0
    (run,) = straw.runs()
    journal = run / "journal.jsonl"
    header = json.loads(journal.read_text().splitlines()[0])
    header["provenance"]["variants"] = {}
    header["kernels"]["page"] = "another"
    journal.write_text(json.dumps(header) + "\n")
    done = straw.bench(f"--resume={run.name}")
    assert done.returncode == 4
    assert "began with another build of page (another, now " in done.stderr


TWINS = """
[variants.twin]
kernel = "page"
cmdline = "nvmet.planted_rounds=466"

[[boots]]
variant = "twin"
providers = "bar"
"""


def test_a_kernel_with_parameters_is_a_variant_of_the_record(straw: Straw, tmp_path: Path) -> None:
    matrix = tmp_path / "twins.toml"
    matrix.write_text(straw.matrix.read_text() + TWINS)
    assert straw.bench(f"--matrix={matrix}", "-k", "b0").returncode == 0
    (run,) = straw.runs()
    header, *boots = map(json.loads, (run / "journal.jsonl").read_text().splitlines())
    assert header["kernels"]["twin"] == header["kernels"]["page"]
    variants = header["provenance"]["variants"]
    assert variants["twin"] == variants["page"] | header["matrix"]["variants"]["twin"]
    words = {boot["variant"]: " ".join(boot["qemu_command"]) for boot in boots}
    assert "nvmet.planted_rounds=466" in words["twin"]
    assert "nvmet.planted_rounds" not in words["page"]
    assert "| variants.twin.cmdline | nvmet.planted_rounds=466 |" in (run / "report.md").read_text()


def test_a_resumed_run_boots_with_the_parameters_that_it_began_with(
    straw: Straw, tmp_path: Path
) -> None:
    matrix = tmp_path / "twins.toml"
    matrix.write_text(straw.matrix.read_text() + TWINS)
    straw.behave({"b0-twin-bar": {"at": "memory", "do": "die"}})
    assert straw.bench(f"--matrix={matrix}", "-k", "b0-twin").returncode == 1
    (run,) = straw.runs()
    matrix.write_text(straw.matrix.read_text() + TWINS.replace("466", "999"))
    straw.behave({})
    assert straw.bench(f"--resume={run.name}").returncode == 0
    *_, last = map(json.loads, (run / "journal.jsonl").read_text().splitlines())
    assert last["boot"] == "b0-twin-bar" and last["status"] == "ok"
    assert "nvmet.planted_rounds=466" in " ".join(last["qemu_command"])


def test_what_a_run_uses_is_not_pruned_from_the_cache(straw: Straw) -> None:
    straw.behave({BOOTS[1]: {"at": "fio", "do": "wait"}})
    run = straw.start(f"--matrix={straw.matrix}")
    eventually(
        lambda: run.poll() is not None or list(straw.results.glob(f"*/console/{BOOTS[1]}.log"))
    )
    assert run.poll() is None, run.communicate()
    pruning = straw.start_program([sys.executable, "-m", "p2pbench", "cache", "--limit", "1k"])
    listed, _ = pruning.communicate()
    straw.go()
    out, err = run.communicate()
    assert run.returncode == 0, out + err
    for kind in ("kernel page-bench-", "guest image "):
        assert f"left, as a process uses it: {kind}" in listed

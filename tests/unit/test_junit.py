# SPDX-License-Identifier: GPL-2.0
"""junit.xml says of every boot and cell of a journal what a CI needs to know."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from p2pbench.records.journal import Journal
from p2pbench.records.records import LookRecord, Skipped
from p2pbench.report import build, junit


@pytest.fixture
def run(synthetic: Any) -> Any:
    return synthetic({"page/host": 1e8, "page/bar": 1e8}, blocks=2)


def suite_of(run: Any, directory: Path) -> ElementTree.Element:
    run.write(directory)
    build.write(directory)
    suite = ElementTree.parse(directory / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    return suite


def case(suite: ElementTree.Element, name: str) -> ElementTree.Element:
    return next(one for one in suite.iter("testcase") if one.get("name") == name)


def numbers(suite: ElementTree.Element) -> list[int]:
    return [int(suite.get(key, "-1")) for key in ("tests", "errors", "failures", "skipped")]


def test_a_whole_run_is_a_case_for_each_boot_each_cell_and_the_report(
    run: Any, tmp_path: Path
) -> None:
    suite = suite_of(run, tmp_path)
    assert numbers(suite) == [4 + 4 + 1, 0, 0, 0]
    boot, cell = case(suite, "b1-page-bar"), case(suite, "b1-page-bar randread-4k-qd1")
    assert boot.get("classname") == cell.get("classname") == "quick.page.bar"
    assert boot.get("time") == "20.500" and list(boot) == list(cell) == []
    assert case(suite, "report").get("classname") == "quick"


def test_a_lost_machine_is_an_error_with_its_console(run: Any, tmp_path: Path) -> None:
    run.lose("b1-page-bar")
    suite = suite_of(run, tmp_path)
    (error,) = case(suite, "b1-page-bar")
    assert (error.tag, error.get("type")) == ("error", "lost")
    assert error.get("message") == 'lost the machine in stage "setup": no answer in 30 s'
    assert "Kernel panic - not syncing: planted" in str(error.text)


def test_an_invalid_cell_is_a_failure_of_its_own(run: Any, tmp_path: Path) -> None:
    run.result("b0-page-bar").update(status="invalid", reasons=["12 requests fell back", "more"])
    suite = suite_of(run, tmp_path)
    (failure,) = case(suite, "b0-page-bar randread-4k-qd1")
    assert (failure.tag, failure.get("type")) == ("failure", "invalid")
    assert failure.get("message") == "invalid: 12 requests fell back; more"
    assert list(case(suite, "b0-page-bar")) == []
    assert numbers(suite) == [9, 0, 2, 0], "the cell's, and that of the whole run"


def test_a_failed_cell_and_a_failed_boot_say_what_was_expected_in_one_line(
    run: Any, tmp_path: Path
) -> None:
    error = {"step": "fio", "expected": "exit 0", "got": "verify:\nbad magic"}
    run.result("b0-page-bar").update(status="failed", error=error)
    run.boot("b1-page-bar").update(status="failed", error=error, workloads=[])
    suite = suite_of(run, tmp_path)
    said = [
        case(suite, name)[0].get("message")
        for name in ("b0-page-bar randread-4k-qd1", "b1-page-bar")
    ]
    assert said == ["fio: expected exit 0, got verify: bad magic"] * 2


def test_a_boot_that_has_not_run_is_an_error_and_one_that_a_look_left_out_is_skipped(
    run: Any, tmp_path: Path
) -> None:
    run.boots = run.boots[:2]
    journal = Journal.open(run.write(tmp_path))
    journal.append_look(
        LookRecord(
            type="look",
            look=1,
            blocks=1,
            elapsed_s=1.0,
            why="budget",
            verdicts={},
            skipped=[Skipped(boot="b1-page-bar", reason="the budget is used up")],
        )
    )
    build.write(tmp_path)
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0]
    (skipped,), (missing,) = case(suite, "b1-page-bar"), case(suite, "b1-page-host")
    assert (skipped.tag, skipped.get("message")) == ("skipped", "the budget is used up")
    assert (missing.tag, missing.get("type")) == ("error", "not run")
    assert numbers(suite)[1:] == [1, 1, 1]


def test_a_boot_that_was_run_again_passes_and_tells_of_the_first_time(
    run: Any, tmp_path: Path
) -> None:
    again = dict(run.boot("b1-page-bar"))
    run.lose("b1-page-bar")
    run.boots.append(again)
    boot = case(suite_of(run, tmp_path), "b1-page-bar")
    assert [child.tag for child in boot] == ["system-out"]
    assert 'run again: lost the machine in stage "setup": no answer in 30 s' in str(boot[0].text)


def test_what_a_console_holds_is_still_xml(run: Any, tmp_path: Path) -> None:
    run.lose("b1-page-bar")
    run.boot("b1-page-bar")["lost"].update(
        reason="\x1b[31m]]> <&\x00", console=["\udc80\ufffe\x08é"]
    )
    (error,) = case(suite_of(run, tmp_path), "b1-page-bar")
    assert str(error.get("message")).endswith("[31m]]> <&\ufffd") and str(error.text)[-1] == "é"


def test_what_fails_the_report_fails_junit(run: Any, tmp_path: Path) -> None:
    run.boot("b0-page-bar")["workloads"].pop(0)
    (failure,) = case(suite_of(run, tmp_path), "report")
    assert failure.get("message") == "b0-page-bar: no result for randread 4k qd1"


def test_a_message_is_one_line() -> None:
    assert junit.one_line("first\n  second\r\n") == "first second"

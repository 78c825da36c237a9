# SPDX-License-Identifier: GPL-2.0
"""The journal survives a kill, refuses what it does not know, and knows what is finished."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from p2pbench.records.journal import Journal, JournalError

Lines = Callable[[Path], list[dict[str, Any]]]
SPEED = {"page/host": 1e8, "page/bar": 1e8}


@pytest.fixture
def run(synthetic: Any) -> Any:
    return synthetic(SPEED, blocks=2)


def test_what_is_appended_is_read_back(run: Any, tmp_path: Path) -> None:
    journal = Journal.open(run.write(tmp_path))
    assert journal.header == run.header
    assert journal.boots == run.boots
    assert journal.notes == []


def test_each_boot_is_on_disk_when_append_returns(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))
    path = run.write(tmp_path)
    assert synced[-1] == path.stat().st_size
    assert len(synced) == 2 + len(run.boots)  # the directory, the header, every boot


def test_what_was_counted_is_read_back_and_a_name_is_kept_once(run: Any, tmp_path: Path) -> None:
    rows = [
        {"function": f"f{i}", "object": "block/bio.o", "subsystem": "block", "per_io": i / 8}
        for i in range(3)
    ]
    for boot in run.boots[:2]:
        boot["workloads"][0]["counts"] = {
            "instrument": "insncount",
            "ios": 8,
            "per_io": 0.375,
            "subsystems": {},
            "functions": rows,
            "reason": "",
        }
    appended = Journal.create(tmp_path / "journal.jsonl", run.header)
    for boot in run.boots:
        appended.append(boot)
    for journal in (appended, Journal.open(appended.path)):
        assert journal.boots == run.boots
        one, two = (
            cast(Any, boot["workloads"][0])["counts"]["functions"] for boot in journal.boots[:2]
        )
        assert one[-1] == rows[-1] and list(one[:2]) == rows[:2]
        assert all(name is same for name, same in zip(one.names, two.names))


@pytest.mark.parametrize(
    "row",
    [{"function": "f"}, "f", {"function": "f", "object": "o", "subsystem": "s", "per_io": None}],
)
def test_a_function_of_another_shape_is_an_error_with_its_place(
    run: Any, tmp_path: Path, row: Any
) -> None:
    counts = {
        "instrument": "insncount",
        "ios": 8,
        "per_io": 1.0,
        "subsystems": {},
        "functions": [],
        "reason": "",
    }
    run.result("b1-page-bar")["counts"] = counts
    path = run.write(tmp_path)
    path.write_text(path.read_text().replace('"functions":[]', f'"functions":[{json.dumps(row)}]'))
    with pytest.raises(JournalError, match=r"jsonl:5: the functions of randread-4k-qd1: expected"):
        Journal.open(path)
    path.write_text(path.read_text().replace(json.dumps(row), ""))
    size = path.stat().st_size
    run.result("b1-page-bar")["counts"] = counts | {"functions": [row]}
    with pytest.raises(JournalError, match="the functions of randread-4k-qd1: expected"):
        Journal.open(path).append(run.boot("b1-page-bar"))
    assert path.stat().st_size == size


@pytest.mark.parametrize("keep", [1, 50, -2])
def test_a_cut_last_line_is_skipped_and_said(run: Any, tmp_path: Path, keep: int) -> None:
    path = run.write(tmp_path)
    *whole, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole) + last[:keep])
    journal = Journal.open(path)
    assert [boot["boot"] for boot in journal.boots] == [b["boot"] for b in run.boots[:-1]]
    assert f"journal.jsonl:{len(whole) + 1}: the last line was cut" in journal.notes[0]
    assert run.boots[-1]["boot"] not in journal.finished()


def test_a_line_that_lacks_only_its_newline_counts(run: Any, tmp_path: Path, lines: Lines) -> None:
    path = run.write(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    journal = Journal.open(path)
    assert len(journal.boots) == 4 and not journal.notes
    journal.append(run.boots[0])
    assert len(lines(path)) == 6


@pytest.mark.parametrize("size", [0, 70_000, 500_000])
def test_appending_after_a_cut_leaves_a_whole_journal(
    run: Any, tmp_path: Path, lines: Lines, size: int
) -> None:
    run.boots[-1]["qemu_command"].append("x" * size)
    path = run.write(tmp_path)
    path.write_bytes(path.read_bytes()[:-30])
    Journal.open(path).append(run.boots[-1])
    assert lines(path) == [run.header, *run.boots]


def test_a_bad_line_elsewhere_is_an_error_with_its_place(run: Any, tmp_path: Path) -> None:
    path = run.write(tmp_path)
    text = path.read_text().splitlines()
    path.write_text("\n".join([*text[:2], text[2][:40], *text[3:]]) + "\n")
    with pytest.raises(JournalError, match=r"journal\.jsonl:3: not a JSON line"):
        Journal.open(path)


def test_a_wrong_shape_is_an_error_with_place_and_field(run: Any, tmp_path: Path) -> None:
    path = run.write(tmp_path)
    text = path.read_text().replace('"duration_s":20.5', '"duration_s":"long"')
    path.write_text(text)
    with pytest.raises(JournalError, match=r"jsonl:2: duration_s: 'long' is not of type"):
        Journal.open(path)


def test_another_schema_is_refused_by_name(run: Any, tmp_path: Path) -> None:
    path = run.write(tmp_path)
    path.write_text(path.read_text().replace("p2pbench-journal-1", "p2pbench-journal-9"))
    with pytest.raises(JournalError, match='"p2pbench-journal-9" is not known'):
        Journal.open(path)


@pytest.mark.parametrize("content", ["", '{"type":"run","sch'])
def test_no_whole_header_means_nothing_was_run(tmp_path: Path, content: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(content)
    with pytest.raises(JournalError, match="nothing was run; start a new run"):
        Journal.open(path)


def test_a_lost_boot_is_to_be_repeated_and_a_failed_one_is_not(run: Any, tmp_path: Path) -> None:
    run.lose("b0-page-bar")
    run.boot("b1-page-bar")["status"] = "failed"
    finished = Journal.open(run.write(tmp_path)).finished()
    assert finished == {"b0-page-host", "b1-page-host", "b1-page-bar"}


def test_of_a_repeated_boot_the_last_line_counts(run: Any, synthetic: Any, tmp_path: Path) -> None:
    whole = run.boot("b0-page-bar") | {}
    run.lose("b0-page-bar")
    path = run.write(tmp_path)
    Journal.open(path).append(whole)
    journal = Journal.open(path)
    assert "b0-page-bar" in journal.finished()
    assert [boot["status"] for boot in journal.repeated] == ["lost"]
    assert len(journal.boots) == 4


def test_a_boot_that_was_not_planned_is_refused(run: Any, tmp_path: Path) -> None:
    journal = Journal.open(run.write(tmp_path))
    with pytest.raises(JournalError, match='"b9-page-bar" is not in the plan'):
        journal.append(run.boots[0] | {"boot": "b9-page-bar"})
    with pytest.raises(JournalError, match="says provider 'cmb', the plan says 'host'"):
        journal.append(run.boots[0] | {"provider": "cmb"})


def test_a_figure_that_is_no_number_is_refused(run: Any, tmp_path: Path) -> None:
    journal = Journal.open(run.write(tmp_path))
    run.result("b0-page-bar")["metrics"]["iops"] = float("nan")
    size = journal.path.stat().st_size
    with pytest.raises(JournalError, match="not a record for the journal"):
        journal.append(run.boot("b0-page-bar"))
    assert journal.path.stat().st_size == size


def test_an_old_journal_is_not_overwritten(run: Any, tmp_path: Path) -> None:
    path = run.write(tmp_path)
    with pytest.raises(JournalError, match="exists already"):
        Journal.create(path, run.header)
    assert len(Journal.open(path).boots) == 4


def test_a_full_disk_leaves_the_journal_whole(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.open(run.write(tmp_path))
    before = journal.path.read_bytes()
    write = os.write

    def half(fd: int, data: bytes) -> int:
        if len(data) < 100:
            raise OSError(28, "No space left on device")
        return write(fd, data[:-50])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(JournalError, match="No space left on device.*RESUME="):
        journal.append(run.boots[0])
    assert journal.path.read_bytes() == before


def test_the_header_may_hold_tuples(run: Any, tmp_path: Path) -> None:
    header = run.header | {"plan": tuple(run.header["plan"])}
    journal = Journal.create(tmp_path / "journal.jsonl", header)
    assert journal.header == json.loads(json.dumps(run.header))


def test_what_is_known_of_kernels_that_were_built_later_completes_the_header(
    run: Any, tmp_path: Path
) -> None:
    """The first boots ran, and were written, while the last kernel was being built."""
    run.header["static"] = None
    whole = {**run.header["provenance"], "variants": {"page": {"key": "1"}, "pageless": {}}}
    journal = Journal.open(run.write(tmp_path))
    journal.append_kernels({**whole, "host": {"cpu": "of who went on"}}, {"structs": []})
    again = Journal.open(journal.path)
    for read in (journal, again):
        assert read.header["provenance"] == whole
        assert read.header["static"] == {"structs": []}
    assert again.boots == run.boots
    with pytest.raises(JournalError, match="refusing to write of the kernels"):
        journal.append_kernels(whole, cast(Any, None))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"started": "yesterday"}, "started: 'yesterday' does not match"),
        ({"started": "2026-11-28T12:48:00"}, "started: '2026-11-28T12:48:00' does not match"),
        ({"status": "lost", "lost": None}, "lost: None is not of type 'object'"),
        ({"setup": {"register": 5}}, "setup.register: 5 is not of type 'object', 'null'"),
        ({"setup": {"pool": 5}}, "setup.pool: 5 is not of type 'object', 'null'"),
        ({"teardown": {"pool": 5}}, "teardown.pool: 5 is not of type 'object', 'null'"),
        ({"duration_s": float("nan")}, "not a JSON line: NaN is no number"),
        ({"boot_s": float("inf")}, "not a JSON line: Infinity is no number"),
    ],
)
def test_what_no_report_could_be_made_of_is_an_error_with_its_place(
    run: Any, tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    path = run.write(tmp_path)
    header, boot, *rest = path.read_text().splitlines()
    path.write_text("\n".join([header, json.dumps(json.loads(boot) | change), *rest, ""]))
    with pytest.raises(JournalError) as caught:
        Journal.open(path)
    assert str(caught.value).startswith(f"{path}:2: {why}")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"[" * 5000, "nested too deep"),
        (b"\0" * 50, "Expecting value"),
        (b'{"duration_s": 1e999}', "1e999 is too large a number"),
        ('{"type": "boot"}'.encode("utf-16"), "'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_a_line_that_is_no_json_is_an_error_with_its_place(
    run: Any, tmp_path: Path, line: bytes, why: str
) -> None:
    path = run.write(tmp_path)
    header, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([header, line + b"\n", *rest]))
    with pytest.raises(JournalError) as caught:
        Journal.open(path)
    assert str(caught.value).startswith(f"{path}:2: not a JSON line: {why}")

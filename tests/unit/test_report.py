# SPDX-License-Identifier: GPL-2.0
"""The report says the verdict first, hides nothing, loads nothing, and decides the exit status."""

import errno
import io
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from p2pbench.__main__ import main
from p2pbench.base.atomic import WriteError
from p2pbench.base.errors import BenchError
from p2pbench.records.journal import JournalError
from p2pbench.report import build

SPEED = {"page/host": 1e8, "page/bar": 0.88e8}
WORKLOADS = ("randread-4k-qd1", "randwrite-8k-qd2", "randwrite-verify", "pattern-there")


@pytest.fixture
def run(synthetic: Any) -> Any:
    return synthetic(SPEED, workloads=WORKLOADS)


def terminal(made: dict[str, Any], colour: bool = False) -> str:
    """What the terminal shows."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=160,
        force_terminal=colour,
        color_system="standard" if colour else None,
        _environ={},
    )
    build.render_terminal(made, console)
    return out.getvalue()


def made_of(run: Any, directory: Path) -> dict[str, Any]:
    run.write(directory)
    return build.write(directory)


def test_a_whole_run_is_ok(run: Any, tmp_path: Path) -> None:
    made = made_of(run, tmp_path)
    assert made["problems"] == []
    assert build.exit_status(made) == 0


def test_the_terminal_gives_the_verdict_in_plain_words_first(run: Any, tmp_path: Path) -> None:
    lines = terminal(made_of(run, tmp_path)).splitlines()
    assert re.match(
        r"Throughput, peer memory \(bar\) against host memory: worse in all 2 cases "
        r"\(worst: rand\w+ \dk qd\d -12 % \[-1\d\.\d, -1\d\.\d\]\)\.",
        lines[0],
    )
    assert " ".join(lines[1:3]).replace("  ", " ").strip() == (
        "All evidence valid: 32,000 P2P requests, 0 fallbacks. Data integrity: proved in every "
        "boot of 4 of 4 cells. No A/A check in this run."
    )


def test_markdown_and_html_give_the_verdict_first(run: Any, tmp_path: Path) -> None:
    made_of(run, tmp_path)
    words = "worse in all 2 cases"
    markdown = (tmp_path / "report.md").read_text()
    assert words in markdown.splitlines()[2]
    html = (tmp_path / "report.html").read_text()
    assert html.index(words) < html.index("<table") and html.index(words) < html.index("<svg")


def test_an_invalid_cell_is_red_and_fails_the_run(run: Any, tmp_path: Path) -> None:
    run.result("b2-page-bar").update(status="invalid", reasons=["12 requests fell back"])
    made = made_of(run, tmp_path)
    assert build.exit_status(made) == 1
    shown = terminal(made, colour=True)
    assert shown.startswith("\x1b[1;31mNOT WHOLE: ")
    assert "Evidence INVALID in 1 of 8 cells" in shown
    assert re.search(r"\x1b\[1;31minvalid\x1b", shown)
    assert re.search(
        r"\x1b\[1;31mPROBLEM: page/bar randread 4k qd1: invalid in 1 boot "
        r"\(b2-page-bar: 12 requests fell back\)",
        shown,
    )
    assert '<td class="invalid">invalid</td>' in (tmp_path / "report.html").read_text()
    assert "**INVALID**" in (tmp_path / "report.md").read_text()


def test_a_planted_loss_is_worse_but_no_failure(run: Any, tmp_path: Path) -> None:
    made = made_of(run, tmp_path)
    assert {cell["verdict"] for cell in made["compares"][0]["cells"]} == {"worse"}
    assert build.exit_status(made) == 0


def test_data_that_differ_fail_the_run(run: Any, tmp_path: Path) -> None:
    run.result("b1-page-bar", "randwrite-verify").update(
        status="failed", error={"step": "fio", "expected": "exit 0", "got": "verify: bad magic"}
    )
    made = made_of(run, tmp_path)
    assert build.exit_status(made) == 1
    assert (
        "randwrite verify: data NOT proved in 1 boot (b1-page-bar: fio: expected exit 0, got "
        "verify: bad magic)" in made["problems"][0]
    )
    assert "proved in every boot of ONLY 3 of 4 cells" in terminal(made)


def test_a_lost_boot_fails_the_run_and_shows_its_last_console_lines(
    run: Any, tmp_path: Path
) -> None:
    run.lose("b4-page-bar")
    made = made_of(run, tmp_path)
    assert build.exit_status(made) == 1
    assert "boot b4-page-bar lost at setup: no answer in 30 s" in made["problems"]
    for text in (terminal(made), *(path.read_text() for path in tmp_path.glob("report.*"))):
        assert "Kernel panic - not syncing: planted" in text


def test_a_lost_boot_that_was_run_again_is_listed_but_fails_nothing(
    run: Any, tmp_path: Path
) -> None:
    again = dict(run.boot("b4-page-bar"))
    run.lose("b4-page-bar")
    run.boots.append(again)
    made = made_of(run, tmp_path)
    assert build.exit_status(made) == 0
    assert [(boot["boot"], boot["repeated"]) for boot in made["lost"]] == [("b4-page-bar", True)]
    assert "Boot b4-page-bar lost at setup, run again" in terminal(made)


def test_a_second_result_of_a_boot_is_called_that_and_not_lost(run: Any, tmp_path: Path) -> None:
    run.boots.append(dict(run.boot("b4-page-bar")))
    made = made_of(run, tmp_path)
    assert build.exit_status(made) == 0 and made["totals"]["boots"]["repeated"] == 1
    said = "a second result of the same boot, not used"
    assert f"Boot b4-page-bar repeated: {said}" in terminal(made)
    for page in ("report.html", "report.md"):
        text = (tmp_path / page).read_text()
        assert said in text and "b4-page-bar: repeated" in text
        assert "ok at" not in text and "no error was given" not in text


def test_a_boot_that_was_not_run_fails_the_run(run: Any, tmp_path: Path) -> None:
    del run.boots[-1]
    made = made_of(run, tmp_path)
    assert build.exit_status(made) == 1
    assert made["problems"] == ["1 boot of the plan not run: b7-page-bar"]


def test_a_result_that_is_absent_from_an_ok_boot_fails_the_run(run: Any, tmp_path: Path) -> None:
    run.boot("b0-page-bar")["workloads"].pop(0)
    made = made_of(run, tmp_path)
    assert made["problems"] == ["b0-page-bar: no result for randread 4k qd1"]


def test_a_cut_journal_gives_a_report_that_says_so(run: Any, tmp_path: Path) -> None:
    path = run.write(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    made = build.write(tmp_path)
    assert build.exit_status(made) == 1
    assert "the last line was cut" in terminal(made)


def test_boots_that_were_deselected_are_not_missed(run: Any, tmp_path: Path) -> None:
    run.header["plan"] = [boot for boot in run.header["plan"] if boot["provider"] == "bar"]
    run.boots = [boot for boot in run.boots if boot["provider"] == "bar"]
    made = made_of(run, tmp_path)
    assert build.exit_status(made) == 0
    assert {cell["provider"] for cell in made["cells"]} == {"bar"}
    assert "Nothing compared" in terminal(made)


def test_a_run_of_which_nothing_is_left_still_has_a_report(run: Any, tmp_path: Path) -> None:
    run.boots = []
    made = made_of(run, tmp_path)
    assert build.exit_status(made) == 1
    assert "No evidence" in terminal(made)


def test_the_json_fits_its_schema_and_the_schema_refuses_what_is_not_there(
    run: Any, tmp_path: Path
) -> None:
    made_of(run, tmp_path)
    schema = json.loads(build.SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    made = json.loads((tmp_path / "report.json").read_text())
    jsonschema.validate(made, schema)
    made["compares"][0]["cells"][0]["verdict"] = "fine"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made, schema)


class Addresses(HTMLParser):
    """Collects what a browser could load, and whether the tags are balanced."""

    VOID = {"meta", "link", "br", "wbr"}

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"<{tag}>"] if tag in ("script", "iframe", "img", "object") else []
        self.found += [
            value or ""
            for name, value in attrs
            if name.split(":")[-1] in ("href", "src", "srcset", "action", "data")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_loads_nothing_and_names_no_address(run: Any, tmp_path: Path) -> None:
    run.lose("b4-page-bar")
    made_of(run, tmp_path)
    html = (tmp_path / "report.html").read_text()
    page = Addresses()
    page.feed(html)
    assert page.open == []
    assert all(one == "data:," or one.startswith("#") for one in page.found)
    assert "//" not in html and "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []


def test_what_a_machine_says_cannot_become_markup(run: Any, tmp_path: Path) -> None:
    run.lose("b4-page-bar")
    run.boot("b4-page-bar")["lost"].update(reason="[red]<script>x</script> | y", console=["<b>"])
    made = made_of(run, tmp_path)
    html = (tmp_path / "report.html").read_text()
    assert "<script>" not in html and "<b>" not in html
    assert "[red]<script>x</script> | y" in terminal(made)
    assert "a <cpu> \\| with pipes" in (tmp_path / "report.md").read_text()


def test_the_plot_shows_every_cell_and_follows_the_colours_of_the_page(
    run: Any, tmp_path: Path
) -> None:
    made_of(run, tmp_path)
    svg, *_ = re.findall(r"<svg.*?</svg>", (tmp_path / "report.html").read_text(), re.DOTALL)
    assert "randread 4k qd1" in svg and "randwrite 8k qd2" in svg
    assert "var(--worse)" in svg
    assert "#0102" not in svg and "<style" not in svg and "metadata" not in svg


def test_the_command_to_reproduce_it_has_matrix_and_seed(run: Any, tmp_path: Path) -> None:
    made = made_of(run, tmp_path)
    assert made["reproduce"] == "make bench MATRIX=quick SEED=1"
    run.header["matrix"]["file"] = "/tmp/my own.toml"
    (tmp_path / "own").mkdir()
    made = made_of(run, tmp_path / "own")
    assert made["reproduce"] == "make bench MATRIX='/tmp/my own.toml' SEED=1"


def test_the_command_to_reproduce_it_begins_with_the_commit(run: Any, tmp_path: Path) -> None:
    run.header["provenance"]["repository"] = {"commit": "c0ffee", "dirty": True}
    made = made_of(run, tmp_path)
    assert made["reproduce"] == "git checkout c0ffee && make bench MATRIX=quick SEED=1"
    for file in ("report.md", "report.html"):
        assert "The run had changes that no commit has." in (tmp_path / file).read_text()
    run.header["provenance"]["repository"] = {"commit": "unknown", "dirty": False}
    (tmp_path / "none").mkdir()
    assert made_of(run, tmp_path / "none")["reproduce"] == "make bench MATRIX=quick SEED=1"
    assert "no commit has" not in (tmp_path / "none" / "report.html").read_text()


def test_the_cost_of_registering_is_told(run: Any, tmp_path: Path) -> None:
    made = made_of(run, tmp_path)
    host, bar = made["providers"]
    assert host["register_ns"] is None
    assert (bar["register_ns"], bar["register_bytes"], bar["pools_whole"]) == (3200000, 1 << 20, 8)


def test_a_pool_with_the_disks_queues_in_it_is_whole_when_all_the_rest_is_back(
    run: Any, tmp_path: Path
) -> None:
    for boot in run.boots:
        if boot["provider"] == "bar":
            boot["setup"]["pool"]["available"] = boot["teardown"]["pool"]["available"] = 60 << 20
    run.boot("b3-page-bar")["teardown"]["pool"]["available"] -= 4096
    assert made_of(run, tmp_path)["providers"][1]["pools_whole"] == 7


def test_provenance_has_no_empty_rows_no_symbols_and_sizes_that_can_be_read(
    run: Any, tmp_path: Path
) -> None:
    run.header["provenance"] |= {
        "symbols": [
            {
                "function": "gone_elsewhere",
                "object": "block/bio.o",
                "subsystem": "block",
                "in": ["page"],
                "absent": ["stock"],
            }
        ],
        "instrument": {"name": "insncount", "reason": ""},
        "host": {"cpu": "fast", "memory_bytes": 25 << 30},
        "qemu": {"shape": {"memory": 1 << 30, "cpus": 2}},
    }
    made_of(run, tmp_path)
    rows = (tmp_path / "report.md").read_text().split("## Provenance")[1]
    assert "| host.memory | 25.0 GiB |" in rows and "| qemu.shape.memory | 1.00 GiB |" in rows
    assert "| qemu.shape.cpus | 2 |" in rows and "| instrument.name | insncount |" in rows
    assert "instrument.reason" not in rows and "gone_elsewhere" not in rows
    assert "qemu.<wbr>shape.<wbr>memory" in (tmp_path / "report.html").read_text()


def test_the_same_journal_gives_the_same_report(run: Any, tmp_path: Path) -> None:
    made_of(run, tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    build.write(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_a_full_disk_keeps_the_old_report(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.write(tmp_path)
    for name in ("report.json", "report.md", "report.html"):
        (tmp_path / name).write_text("old")
    synced: list[int] = []

    def full(fd: int) -> None:
        synced.append(fd)
        if len(synced) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="No space left on device.*make report RUN="):
        build.write(tmp_path)
    assert {path.read_text() for path in tmp_path.glob("report.*")} == {"old"}
    assert not list(tmp_path.glob(".*"))


def test_the_command_makes_the_report_again(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run.write(tmp_path)
    assert main(["report", str(tmp_path)]) == 0
    assert (tmp_path / "report.html").is_file()
    assert "worse in all 2 cases" in capsys.readouterr().out
    with pytest.raises(BenchError, match='none": expected the name of a run or the path of its '):
        main(["report", str(tmp_path / "none")])
    (tmp_path / "journal.jsonl").unlink()
    with pytest.raises(BenchError, match="a published run has its report and no journal"):
        main(["report", str(tmp_path)])


def test_a_report_of_another_schema_is_refused(run: Any, tmp_path: Path) -> None:
    path = run.write(tmp_path)
    path.write_text(path.read_text().replace("p2pbench-journal-1", "p2pbench-journal-0"))
    with pytest.raises(JournalError, match="p2pbench-journal-0"):
        build.write(tmp_path)


def test_the_json_has_a_line_for_each_entry_and_all_of_the_report(run: Any, tmp_path: Path) -> None:
    made = made_of(run, tmp_path)
    text = (tmp_path / "report.json").read_text()
    assert json.loads(text) == made
    assert len(text.splitlines()) > len(made["cells"]) * len(made["cells"][0])

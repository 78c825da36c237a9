# SPDX-License-Identifier: GPL-2.0
"""junit.xml: the boots of a run and their cells as CI tools show them, made from the journal.

In the form that pytest and Jenkins call xunit2. A test case is a boot, one of its cells, or the
report's judgement of the whole run; names stay the same from run to run, so that a CI can follow
each. A lost machine and a boot that has not run are errors, an invalid cell is a failure.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from p2pbench.records.journal import Journal
from p2pbench.records.records import BootRecord, WorkloadResult

# XML has no way to write these, and a console has them.
_NO_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
_ERROR, _FAILURE, _SKIPPED = "error", "failure", "skipped"


@dataclass(frozen=True)
class _Case:
    """A test case: where it belongs, and what is wrong with it ("" for nothing)."""

    group: str
    name: str
    seconds: float = 0.0
    outcome: str = ""
    kind: str = ""
    message: str = ""
    details: str = ""
    output: str = ""


def text(journal: Journal, problems: Sequence[str]) -> str:
    """Return junit.xml of a run; problems are the report's, each of which fails the run."""
    cases = list(_cases(journal, problems))
    outcomes = [case.outcome for case in cases]
    header = journal.header
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        suites,
        "testsuite",
        {
            "name": header["matrix"]["name"],
            "tests": str(len(cases)),
            "errors": str(outcomes.count(_ERROR)),
            "failures": str(outcomes.count(_FAILURE)),
            "skipped": str(outcomes.count(_SKIPPED)),
            "timestamp": header["created"][:19],
            "time": f"{sum(case.seconds for case in cases):.3f}",
        },
    )
    properties = ElementTree.SubElement(suite, "properties")
    about = {"run": header["run"], "seed": header["seed"], "class": header["environment_class"]}
    for name, value in about.items():
        ElementTree.SubElement(properties, "property", _attributes(name=name, value=value))
    for case in cases:
        _add(suite, case)
    ElementTree.indent(suites)
    return _DECLARATION + ElementTree.tostring(suites, encoding="unicode") + "\n"


def boot_trouble(boot: Mapping[str, Any]) -> str:
    """Why a boot gave no result, in one line; "" if it came to its end."""
    if boot["status"] == "lost":
        return one_line('lost the machine in stage "{stage}": {reason}'.format(**boot["lost"]))
    return _error(boot["error"]) if boot["status"] == "failed" else ""


def cell_trouble(cell: Mapping[str, Any]) -> str:
    """Why a workload's figures do not count, in one line; "" if they do."""
    if cell["status"] == "invalid":
        return one_line(f"invalid: {'; '.join(cell['reasons'])}")
    return _error(cell["error"]) if cell["status"] == "failed" else ""


def one_line(said: str) -> str:
    """A message without the line breaks that somebody's output brought into it."""
    return " ".join(said.split())


def _error(error: Mapping[str, str] | None) -> str:
    if not error:
        return "failed, and no error was given"
    return one_line("{step}: expected {expected}, got {got}".format(**error))


def _cases(journal: Journal, problems: Sequence[str]) -> Iterator[_Case]:
    header = journal.header
    boots = {boot["boot"]: boot for boot in journal.boots}
    earlier: dict[str, list[BootRecord]] = {}
    for boot in journal.repeated:
        earlier.setdefault(boot["boot"], []).append(boot)
    for planned in header["plan"]:
        name = planned["boot"]
        group = f"{header['matrix']['name']}.{planned['variant']}.{planned['provider']}"
        if name in boots:
            yield _boot_case(group, boots[name], earlier.get(name, []))
            yield from (_cell_case(group, name, cell) for cell in boots[name]["workloads"])
        elif name in journal.skipped:
            yield _Case(group, name, 0.0, _SKIPPED, "", journal.skipped[name])
        else:
            yield _Case(group, name, 0.0, _ERROR, "not run", "the run ended before this boot")
    if problems:
        yield _Case(
            header["matrix"]["name"],
            "report",
            0.0,
            _FAILURE,
            "not whole",
            problems[0],
            "\n".join(problems),
        )
    else:
        yield _Case(header["matrix"]["name"], "report")


def _boot_case(group: str, boot: BootRecord, earlier: Sequence[BootRecord]) -> _Case:
    trouble = boot_trouble(boot)
    console = "\n".join(boot["lost"]["console"]) if boot["lost"] else ""
    again = "".join(f"run again: {boot_trouble(one) or 'it had a result'}\n" for one in earlier)
    return _Case(
        group,
        boot["boot"],
        boot["duration_s"],
        _ERROR if trouble else "",
        boot["status"],
        trouble,
        console,
        again,
    )


def _cell_case(group: str, boot: str, cell: WorkloadResult) -> _Case:
    trouble = cell_trouble(cell)
    return _Case(
        group,
        f"{boot} {cell['name']}",
        0.0,
        _FAILURE if trouble else "",
        cell["status"],
        trouble,
        trouble,
    )


def _add(suite: ElementTree.Element, case: _Case) -> None:
    element = ElementTree.SubElement(
        suite,
        "testcase",
        _attributes(classname=case.group, name=case.name, time=f"{case.seconds:.3f}"),
    )
    if case.outcome:
        kind = {"type": case.kind} if case.kind else {}
        outcome = ElementTree.SubElement(
            element, case.outcome, _attributes(message=case.message, **kind)
        )
        outcome.text = _writable(case.details)
    if case.output:
        ElementTree.SubElement(element, "system-out").text = _writable(case.output)


def _attributes(**values: object) -> dict[str, str]:
    return {name: _writable(str(value)) for name, value in values.items()}


def _writable(said: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", said)

# SPDX-License-Identifier: GPL-2.0
"""report.json as a file: its text, and reading those that were written before, of this schema or
the last.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from p2pbench.base.errors import BenchError
from p2pbench.base.paths import SCHEMAS
from p2pbench.base.schema import validator
from p2pbench.records.metrics import METRICS
from p2pbench.records.runs import JOURNAL, named, names
from p2pbench.report.model import Report

SCHEMA = "p2pbench-report-2"
SCHEMA_FILE = SCHEMAS / "report.schema.json"
_FIRST = "p2pbench-report-1"
KNOWN = (SCHEMA, _FIRST)
# What the first schema did not have; the verdict is then the compares' headlines.
_ADDED = ("instructions", "memory", "static", "aa", "stopping", "virtual")
_UNTESTED = ("p", "p_holm", "look")
_MOST_SENTENCES = 5
# Down to the entries of a section, or of a compare.
_LEVELS_IN_LINES = 4


class UnreadableReport(BenchError):
    """A report that cannot be used; the text names the file and says why."""


def read(place: Path) -> Report:
    """The report in a run's directory (or the file itself), brought to today's schema.

    Raises UnreadableReport when there is none, or its schema is not known here.
    """
    file = place / "report.json" if place.is_dir() else place
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        to_do = (
            f"make report RUN={named(place)}"
            if (place / JOURNAL).is_file()
            else f"there: {names()}"
        )
        raise UnreadableReport(
            f"{file}: cannot read: {error.strerror}; expected the directory of "
            f"a run that has a report ({to_do})"
        ) from None
    except ValueError as error:
        raise UnreadableReport(
            f"{file}: not JSON: {error}; expected the directory of a run, or its report.json"
        ) from None
    schema = report.get("schema") if isinstance(report, dict) else None
    if schema == _FIRST:
        report = _upgraded(report)
    elif schema != SCHEMA:
        raise UnreadableReport(
            f'{file}: schema "{schema}" is not known here; this program reads '
            f"{' and '.join(KNOWN)}"
        )
    report.setdefault("virtual", None)
    for wrong in validator(SCHEMA_FILE).iter_errors(report):
        where = ".".join(str(part) for part in wrong.absolute_path)
        raise UnreadableReport(
            f"{file}: not what {schema} says at {where or 'the top'}: {wrong.message[:200]}"
        )
    _refuse_metrics(file, cast(Report, report))
    return cast(Report, report)


def _refuse_metrics(file: Path, report: Report) -> None:
    """Raise UnreadableReport for a metric that is not known here: nothing could be said of it."""
    compares = report["compares"] + (report["aa"]["compares"] if report["aa"] else [])
    for cell in (cell for compare in compares for cell in compare["cells"]):
        if cell["metric"] not in METRICS:
            raise UnreadableReport(f'{file}: metric "{cell["metric"]}" is not known here')


def _upgraded(report: dict[str, Any]) -> dict[str, Any]:
    headlines = [
        f"{compare['title'][:1].upper()}{compare['title'][1:]}: {compare['headline']}."
        for compare in report.get("compares", [])
    ]
    compares = [
        {**compare, "cells": [dict.fromkeys(_UNTESTED) | cell for cell in compare["cells"]]}
        for compare in report.get("compares", [])
    ]
    return {
        **report,
        **dict.fromkeys(_ADDED),
        "schema": SCHEMA,
        "compares": compares,
        "verdict": headlines[:_MOST_SENTENCES],
    }


def as_json(report: Report) -> str:
    """The text of report.json, a line for each entry of a section.

    json indents in Python alone, which takes ten times as long.
    """
    return _in_lines(report, _LEVELS_IN_LINES) + "\n"


def _in_lines(value: Any, levels: int) -> str:
    if not levels or not value or not isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return (
            "{\n"
            + ",\n".join(
                f"{json.dumps(key)}: {_in_lines(one, levels - 1)}" for key, one in value.items()
            )
            + "\n}"
        )
    return "[\n" + ",\n".join(_in_lines(one, levels - 1) for one in value) + "\n]"

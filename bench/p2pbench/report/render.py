# SPDX-License-Identifier: GPL-2.0
"""The report as Markdown and as one HTML page that loads nothing, from templates/."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from p2pbench.base.repository import NO_COMMIT
from p2pbench.records.counts import LEAST
from p2pbench.records.metrics import FAMILIES, METRICS
from p2pbench.report import provenance_rows, wording
from p2pbench.report.model import CountedPath, Report
from p2pbench.report.plots import all_plots, bars
from p2pbench.report.select import ratios
from p2pbench.report.summary import is_alarming

TEMPLATES = Path(__file__).resolve().parent / "templates"
_FILTERS = (
    "amount",
    "blocks",
    "change",
    "change_range",
    "count",
    "decimal",
    "gaps",
    "has_latency",
    "label",
    "label_of",
    "least_p",
    "no_line",
    "plural",
    "pool_use",
    "probability",
    "rate",
    "signed",
    "span",
)
# Sections that a run may lack, as a person calls them.
_OPTIONAL = {
    "virtual": "virtual time",
    "instructions": "instruction counts",
    "memory": "memory curve",
    "aa": "A/A check",
    "stopping": "sequential stopping",
    "static": "static sizes",
}


def markdown(report: Report) -> str:
    """The report in GitHub's Markdown."""
    return _environment().get_template("report.md.j2").render(**_content(report))


def html(report: Report) -> str:
    """The report as one page with its style and its plots inside."""
    return (
        _environment()
        .get_template("report.html.j2")
        .render(**_content(report), plots=all_plots.draw(report))
    )


def page(template: str, **content: Any) -> str:
    """Another page from templates/, with the filters of the report."""
    return _environment().get_template(template).render(**content)


def _content(report: Report) -> dict[str, Any]:
    rows = report["providers"]
    if report["memory"]:  # it has the boots that only register
        rows = [row for row in rows if not row["provider"].startswith("memory-")]
    return {
        "report": report,
        "absent": [name for key, name in _OPTIONAL.items() if dict(report)[key] is None],
        "providers": rows,
        "provenance": provenance_rows.rows(report["provenance"]),
        "patches": provenance_rows.patches(report["provenance"]),
        "sources": _sources(report["provenance"].get("repository") or {}),
    }


def _sources(repository: Mapping[str, Any]) -> str:
    """What keeps somebody else from having the same sources, in a sentence; "" for nothing."""
    if repository.get("dirty"):
        return "The run had changes that no commit has."
    if repository.get("commit") == NO_COMMIT:
        return "Which commit its sources are of is not known."
    return ""


@functools.lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update({name: getattr(wording, name) for name in _FILTERS})
    environment.filters.update(
        against=_against,
        breakable=_breakable,
        bytes=_bytes,
        fitted=_fitted,
        has_p=_has_p,
        insn_spread=_insn_spread,
        pipe=_pipe,
        sentence=_sentence,
        signed_bytes=_signed_bytes,
        subsystems=bars.subsystems_of,
        tight=_tight,
    )
    environment.tests.update(proves_data=wording.proves_data, alarming=is_alarming)
    environment.globals.update(
        evidence_sentence=wording.evidence_sentence,
        functions_of=all_plots.functions,
        integrity_sentence=wording.integrity_sentence,
        metrics=METRICS,
        families=FAMILIES,
        words=wording,
        goal=1 + bars.GOAL,
        least=LEAST,
    )
    return environment


def _against(cell: CountedPath, variant: str) -> float | None:
    """Instructions of a variant on a path against the baseline's."""
    found = ratios([cell]).get(variant)
    return found[0][1] if found else None


def _insn_spread(figures: Mapping[str, Any]) -> str:
    """How far the boots lie apart: "0.12 %"."""
    if not figures["per_io"]:
        return "–"
    return f"{(figures['max'] - figures['min']) / figures['per_io'] * 100:.2f} %"


def _has_p(cells: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any cell was tested, so that a column for p says something."""
    return any(cell.get("p") is not None for cell in cells)


def _fitted(what: str) -> str:
    return {
        "overhead_bytes": "memory",
        "register_ns": "time to register",
        "remove_ns": "time to remove",
    }.get(what, what)


def _bytes(value: int | None) -> str:
    """Bytes that must be exact: the size of a structure or a function."""
    return "–" if value is None else f"{value:,}"


def _signed_bytes(value: int) -> str:
    return f"{value:+,} bytes" if value else "0 bytes"


def _pipe(text: object) -> str:
    """Text for a cell of a Markdown table."""
    return " ".join(str(text).replace("|", "\\|").split())


def _tight(text: str) -> str:
    """The text with its figures kept on one line with their units."""
    return re.sub(r"(\d) (%|[KMGT]iB|B|[mµn]?s)(?!\w)", "\\1\N{NO-BREAK SPACE}\\2", text)


def _breakable(name: str) -> Markup:
    """A dotted name for HTML that breaks behind its dots."""
    return Markup(".<wbr>").join(name.split("."))


def _sentence(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]

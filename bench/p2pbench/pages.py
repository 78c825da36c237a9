"""The report as Markdown and as one HTML page that loads nothing, from templates/."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from . import words
from .forest import forest_svg

TEMPLATES = Path(__file__).resolve().parent / "templates"
_FILTERS = ("amount", "blocks", "change", "change_range", "gaps", "label", "plural", "rate", "span")


def markdown(report: Mapping[str, Any]) -> str:
    """The report in GitHub's Markdown."""
    return _environment().get_template("report.md.j2").render(report=report)


def html(report: Mapping[str, Any]) -> str:
    """The report as one page with its style and its plots inside."""
    plots = {c["name"]: Markup(forest_svg(c)) for c in report["compares"] if c["cells"]}
    return _environment().get_template("report.html.j2").render(report=report, plots=plots)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update({name: getattr(words, name) for name in _FILTERS})
    environment.filters.update(flat=_flat, pipe=_pipe, count=_count, sentence=_sentence)
    environment.tests.update(proves_data=words.proves_data)
    environment.globals.update(evidence_sentence=words.evidence_sentence,
                               integrity_sentence=words.integrity_sentence)
    return environment


def _flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    """A nested record as rows of dotted name and text."""
    if isinstance(value, dict):
        return [row for key, one in value.items() for row in _flat(one, f"{name}.{key}".strip("."))]
    if isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value):
        return [row for i, one in enumerate(value, 1) for row in _flat(one, f"{name}.{i}")]
    if isinstance(value, list):
        return [(name, ", ".join(map(str, value)))]
    return [(name, "–" if value is None else str(value))]


def _pipe(text: object) -> str:
    """Text for a cell of a Markdown table."""
    return " ".join(str(text).replace("|", "\\|").split())


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _sentence(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]

# SPDX-License-Identifier: GPL-2.0
"""results/index.html: the runs that are there, newest first, and those that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from p2pbench.base import atomic
from p2pbench.report import render, report_file

_SHOWN = ("run", "created", "seed", "environment_class", "ok")


def write(results: Path) -> Path:
    """Write the list of the runs in `results`; one that cannot be read is named with the reason."""
    runs = [_entry(results, place) for place in _places(results)]
    readable = [run for run in runs if not run["broken"]]
    readable.sort(key=lambda run: str(run["created"]), reverse=True)
    compared = [
        (" against ".join(reversed(path.stem.split("--"))), path.relative_to(results).as_posix())
        for path in sorted(results.glob("compare/*--*.html"))
    ]
    atomic.replace_all(
        results,
        {
            "index.html": render.page(
                "index.html.j2",
                runs=readable,
                broken=[run for run in runs if run["broken"]],
                compared=compared,
            )
        },
        "make any report again",
    )
    return results / "index.html"


def _places(results: Path) -> Iterator[Path]:
    """The directories of runs: those with a journal or a report, published ones too."""
    for pattern in ("*/", "reference/*/", "reference/*/*/"):
        for place in sorted(results.glob(pattern)):
            if any((place / name).exists() for name in ("journal.jsonl", "report.json")):
                yield place


def _entry(results: Path, place: Path) -> dict[str, Any]:
    """What the list shows of a run; it is not validated, so that many are listed quickly."""
    link = place.relative_to(results).as_posix()
    entry: dict[str, Any] = {"link": link, "broken": ""}
    try:
        report = json.loads((place / "report.json").read_text(encoding="utf-8"))
        if report["schema"] not in report_file.KNOWN:
            return entry | {"broken": f"its schema is {report['schema']}"}
        entry |= {key: report[key] for key in _SHOWN}
        sentences = report.get("verdict") or [one["headline"] for one in report["compares"]]
        return entry | {
            "matrix": report["matrix"]["name"],
            "verdict": (sentences or [""])[0],
            "published": link.startswith("reference/"),
            "forms": [
                (name, f"{link}/report.{name}")
                for name in ("html", "md", "json")
                if (place / f"report.{name}").is_file()
            ],
        }
    except OSError as error:
        return entry | {"broken": f"report.json: {error.strerror} (make report RUN={link})"}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return entry | {"broken": f"report.json is no report: {type(error).__name__} {error}"}

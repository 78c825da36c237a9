# SPDX-License-Identifier: GPL-2.0
"""What mypy knows of a journal's lines and of a report is what their schemas check of them."""

import json
from types import ModuleType, NoneType
from typing import Any, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from p2pbench.records import journal, records
from p2pbench.report import model, report_file


class Walk:
    """Types and their schemas, side by side; `seen` are the types, `differing` what differs."""

    def __init__(self, parts: dict[str, Any]) -> None:
        self._parts = parts
        self.seen: set[str] = set()
        self.differing: list[str] = []

    def go(self, hint: Any, schema: dict[str, Any]) -> None:
        """Compare a type with a schema, and all below them."""
        while "$ref" in schema:
            schema = self._parts[schema["$ref"].rpartition("/")[2]]
        schema = schema.get("anyOf", [schema])[0]
        if is_typeddict(hint):
            if "required" in schema:
                self._keys(hint, schema)
            return
        for part in get_args(hint):
            if part is not NoneType and part is not str:
                below = (
                    schema
                    if hint is not list and NoneType in get_args(hint)
                    else (schema.get("items") or schema.get("additionalProperties") or {})
                )
                self.go(part, below)

    def _keys(self, record: Any, schema: dict[str, Any]) -> None:
        if record.__name__ in self.seen:
            return
        self.seen.add(record.__name__)
        hints = get_type_hints(record, include_extras=True)
        optional = {key for key, hint in hints.items() if get_origin(hint) is NotRequired}
        properties = schema.get("properties", {})
        # Counters are all required, and some schemas name them there alone.
        if hints.keys() - optional != set(
            schema["required"]
        ) or hints.keys() != properties.keys() | set(schema["required"]):
            self.differing.append(record.__name__)
        for key, hint in hints.items():
            inner = get_args(hint)[0] if key in optional else hint
            self.go(inner, properties.get(key, {}))


def types_in(module: ModuleType) -> set[str]:
    """The records that a module defines."""
    return {
        name
        for name, value in vars(module).items()
        if is_typeddict(value) and value.__module__ == module.__name__
    }


@pytest.mark.parametrize(
    "record, part",
    [(records.Header, "run"), (records.BootRecord, "boot"), (records.LookRecord, "look")],
)
def test_a_line_of_the_journal_has_the_keys_of_its_schema(record: Any, part: str) -> None:
    parts = json.loads(journal.SCHEMA_FILE.read_text())["$defs"]
    walk = Walk(parts)
    walk.go(record, parts[part])
    assert walk.differing == [] and walk.seen


def test_every_type_of_the_journal_is_held_by_that() -> None:
    parts = json.loads(journal.SCHEMA_FILE.read_text())["$defs"]
    walk = Walk(parts)
    for record, part in (
        (records.Header, "run"),
        (records.BootRecord, "boot"),
        (records.LookRecord, "look"),
    ):
        walk.go(record, parts[part])
    assert types_in(records) <= walk.seen


def test_a_report_has_the_keys_of_its_schema() -> None:
    schema = json.loads(report_file.SCHEMA_FILE.read_text())
    walk = Walk(schema["$defs"])
    walk.go(model.Report, schema)
    assert walk.differing == []
    assert types_in(model) <= walk.seen

# SPDX-License-Identifier: GPL-2.0
"""TOML whose mistakes can be named by file and line."""

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomllib

from p2pbench.base.errors import BenchError
from p2pbench.base.paths import shown
from p2pbench.base.units import quoted

Key = tuple[str | int, ...]
Parser = Callable[[Any], Any]
Explainer = Callable[[str], str]


class LocatedToml:
    """A TOML file of tables and arrays of tables, and the line of each of its keys."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8-sig")  # Windows begins a file with a mark
        except (OSError, UnicodeDecodeError) as error:
            raise BenchError(f"{shown(path)}: cannot be read: {error}") from None
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"\(at line (\d+), column \d+\)", str(error))
            line = found[1] if found else str(text.count("\n") + 1)
            raise BenchError(f"{shown(path)}:{line}: not valid TOML: {error}") from None
        self._lines = _key_lines(text)

    def error(self, key: Key, message: str) -> BenchError:
        """Return an error at the line of a key, or of the table that should hold it."""
        while key and key not in self._lines:
            key = key[:-1]
        return BenchError(f"{shown(self.path)}:{self._lines.get(key, 1)}: {message}")

    def table(
        self,
        key: Key,
        value: Any,
        fields: Mapping[str, Parser],
        required: tuple[str, ...] = (),
        explain: Explainer | None = None,
    ) -> dict[str, Any]:
        """Check one table: unknown keys, missing keys, and each value by its parser.

        A parser returns the value to use, or raises ValueError that says what is allowed. explain
        says what an unknown key is, "" if it does not know.
        """
        if not isinstance(value, dict):
            name = ".".join(part for part in key if isinstance(part, str))
            raise self.error(
                key, f"write [{name}] or [[{name}]] and its keys below: a table is wanted here"
            )
        parsed: dict[str, Any] = {}
        for name, content in value.items():
            if name not in fields:
                what = (explain(name) if explain else "") or _unknown(name, fields)
                raise self.error((*key, name), f'{what}(allowed: {", ".join(fields)})')
            try:
                parsed[name] = fields[name](content)
            except ValueError as error:
                raise self.error((*key, name), f"{name}: {error}") from None
        for name in required:
            if name not in parsed:
                raise self.error(key, f'key "{name}" is missing')
        return parsed

    def tables(
        self,
        name: str,
        fields: Mapping[str, Parser],
        required: tuple[str, ...] = (),
        explain: Explainer | None = None,
    ) -> list[dict[str, Any]]:
        """Check an array of tables, [[name]]."""
        value = self.data.get(name, [])
        if not isinstance(value, list):
            raise self.error((name,), f"write [[{name}]]: it may stand several times")
        return [
            self.table((name, index), entry, fields, required, explain)
            for index, entry in enumerate(value)
        ]


def _unknown(name: str, fields: Mapping[str, Parser]) -> str:
    close = difflib.get_close_matches(name, fields, 1)
    hint = f'did you mean "{close[0]}"? ' if close else ""
    return f'unknown key "{name}"; {hint}'


# Of the name of a table, which has several when it is in another one.
_PART = r'(?:[\w-]+|"[^"]*")'


def _key_lines(text: str) -> dict[Key, int]:
    """Return the line of each key and table header, by its path."""
    lines: dict[Key, int] = {}
    counts: dict[str, int] = {}
    table: Key = ()
    for number, line in enumerate(text.split("\n"), 1):
        if found := re.match(r"\s*\[\[\s*([\w-]+)\s*\]\]", line):
            index = counts.get(found[1], 0)
            counts[found[1]] = index + 1
            table = (found[1], index)
            lines.setdefault((found[1],), number)
            lines[table] = number
        elif found := re.match(rf"\s*\[\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]", line):
            table = tuple(part.strip('"') for part in re.findall(_PART, found[1]))
            lines[table] = number
        elif found := re.match(r"\s*\"?([\w-]+)\"?\s*=", line):
            lines[(*table, found[1])] = number
    return lines


def one_of(*allowed: str) -> Parser:
    """Parse a string that must be one of those allowed."""

    def parse(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f'unknown value {quoted(value)} ({", ".join(allowed)})')
        return str(value)

    return parse


def integer(least: int, most: int = 1_000_000) -> Parser:
    """Parse an integer from `least` to `most`."""

    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(
                f"found {quoted(value)}; a whole number of at least {least} and at "
                f"most {most} is allowed"
            )
        return int(value)

    return parse


def text(value: Any) -> str:
    """Parse a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"found {quoted(value)}; a string is allowed")
    return value


def truth(value: Any) -> bool:
    """Parse true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"found {quoted(value)}; true or false is allowed")
    return value


def names(value: Any) -> tuple[str, ...]:
    """Parse a list of strings, which may be empty."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"found {quoted(value)}; a list of names is allowed")
    return tuple(value)


def listed(parse: Parser) -> Parser:
    """Parse one value or a list of them into a list without repetitions."""

    def parse_list(value: Any) -> list[Any]:
        values = [parse(entry) for entry in (value if isinstance(value, list) else [value])]
        if not values:
            raise ValueError("an empty list; at least one value is needed")
        for index, entry in enumerate(values):
            if entry in values[:index]:
                raise ValueError(f"{quoted(entry)} stands twice")
        return values

    return parse_list

# SPDX-License-Identifier: GPL-2.0
"""Sizes, times and shares, as a file writes them and as a sentence says them."""

import math
import re
from fractions import Fraction
from typing import Any

from p2pbench.base.errors import BenchError

# A page of memory.
PAGE = 4096
GIB = 1 << 30
_SIZE_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
# As others write sizes, and what they are here.
_OTHER_SIZE = re.compile(r"([0-9]+) ?([bkmgt])(?:i?b)?", re.I)
_TIME_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000}
_BUDGET_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}


def quoted(value: Any) -> str:
    """Return a value of a TOML file as it is written there."""
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def size(value: Any) -> int:
    """Parse a size with a unit, such as "4k" or "1m", into bytes (powers of 1024, as fio)."""
    found = re.fullmatch(r"([0-9]+)([bkmg])", value) if isinstance(value, str) else None
    if not found or int(found[1]) == 0:
        raise ValueError(
            f"found {quoted(value)}; a size with a unit is allowed: b, k, m or g in "
            f"lower case, powers of 1024, such as {_size_hint(value)}"
        )
    return int(found[1]) * _SIZE_UNITS[found[2]]


def _size_hint(value: Any) -> str:
    """Return the size that a value in another notation means, else some sizes."""
    other = _OTHER_SIZE.fullmatch(value) if isinstance(value, str) else None
    if not other or int(other[1]) == 0:
        return '"512b", "4k", "1m"'
    if other[2] in "tT":
        return f'"{int(other[1]) * 1024}g"'
    return f'"{other[1]}{other[2].lower()}"'


def short(count: int) -> str:
    """Return a size in bytes as fio writes it, such as 4k."""
    for unit, factor in (("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)):
        if count % factor == 0:
            return f"{count // factor}{unit}"
    return f"{count}b"


def amount(bytes_: float | None) -> str:
    """Bytes in the largest binary unit that gives 1 or more."""
    if bytes_ is None:
        return "–"
    number = float(bytes_)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(number) < 1024 or unit == "TiB":
            break
        number /= 1024
    return f"{bytes_:.0f} B" if unit == "B" else f"{three(number)} {unit}"


def duration(value: Any) -> float:
    """Parse a time with a unit, such as "500ms" or "2s", into seconds: whole milliseconds."""
    found = (
        re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m)", value) if isinstance(value, str) else None
    )
    if not found:
        raise ValueError(
            f"found {quoted(value)}; a time with a unit is allowed: ms, s or m in "
            'lower case, such as "500ms", "2s"'
        )
    milliseconds = Fraction(found[1]) * _TIME_UNITS_MS[found[2]]
    if milliseconds < 1 or milliseconds.denominator != 1:
        raise ValueError(f"found {quoted(value)}; whole milliseconds are allowed, at least 1")
    return float(milliseconds / 1000)


def parse_budget(given: str) -> float:
    """A time such as "90s", "20m" or "2h" in seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", given)
    if not found or float(found[1]) == 0:
        raise BenchError(f'BUDGET="{given}": a time with a unit is allowed, such as 90s, 20m, 2h')
    return float(found[1]) * _BUDGET_UNITS_S[found[2]]


def in_words(seconds: float) -> str:
    """A time as a person says it: "1 min 30 s", "20 min", "1 h 30 min"."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return _nonzero((minutes, "min"), (rest, "s")) or "0 s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return _nonzero((hours, "h"), (minutes, "min"))


def _nonzero(*parts: tuple[int, str]) -> str:
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def percent(value: Any) -> float:
    """Parse a percentage, such as "2%", into a fraction."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", value) if isinstance(value, str) else None
    if not found or not 0 < float(found[1]) < 100:
        raise ValueError(f'found {quoted(value)}; a percentage is allowed, such as "2%"')
    return float(found[1]) / 100


def plural(number: int, what: str) -> str:
    """1 -> "1 boot", 2 -> "2 boots"."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def three(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"

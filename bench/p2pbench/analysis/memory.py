# SPDX-License-Identifier: GPL-2.0
"""The memory curve: what peer memory costs by the size of the BAR. Knows no files and no output.

Points are per variant and size: median and range over the boots. Bytes are pages that were free
before the registration and not after it, exact to a page; what else the kernel does meanwhile
adds a few pages either way.

    fit       y = intercept + per_gib * x over the boots, x the BAR in GiB. Sizes span four decades
              and what disturbs them is in proportion, so residuals are divided by the fitted value
              (weighted least squares, weights from the fit before: R. J. Carroll, D. Ruppert,
              "Transformation and Weighting in Regression", 1988, section 2.3), but by no less than
              the resolution: 8 pages, 10 us
    interval  95 %, Student's t with n - 2 degrees of freedom on the standard error that
              numpy.polyfit takes from the scatter of these residuals
    worst     the largest distance of a median from the line, in parts of the fitted value: where it
              is large, a line is no description, and the points are to be read
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.stats

from p2pbench.base.units import GIB, PAGE
from p2pbench.records.kinds import MEMORY

# What a struct page for each page of a GiB takes.
PAGE_LINE = 64 * GIB // PAGE
CONFIDENCE = 0.95
METHOD = (
    "least squares weighted by the fitted value (numpy.polyfit), 95 % interval by "
    "Student's t, n - 2 degrees of freedom"
)
_ROUNDS = 4
# The figures of a boot, and what of each cannot be resolved.
_RESOLUTION = {"overhead_bytes": 8.0 * PAGE, "register_ns": 1e4, "remove_ns": 1e4}


def section(header: Mapping[str, Any], boots: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the report's section on memory; None when the run has no boot that measures it."""
    if not any(_is_memory(planned) for planned in header["plan"]):
        return None
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    for boot in boots:
        if _is_memory(boot) and (figures := _figures(boot)):
            found.setdefault((boot["variant"], boot["bar"]), []).append(figures)
    variants = dict.fromkeys(
        planned["variant"]
        for planned in sorted(
            filter(_is_memory, header["plan"]), key=lambda planned: str(planned["variant"])
        )
    )
    order = sorted(found, key=lambda key: (list(variants).index(key[0]), key[1]))
    points = [_point(*key, found[key]) for key in order]
    return {
        "points": points,
        "page_line_bytes_per_gib": PAGE_LINE,
        "fits": [
            made
            for variant in variants
            for what in _RESOLUTION
            if (made := _fit(variant, what, found))
        ],
    }


def _is_memory(boot: Mapping[str, Any]) -> bool:
    return str(boot["provider"]).startswith(f"{MEMORY}-")


def _figures(boot: Mapping[str, Any]) -> dict[str, float] | None:
    """Return what one boot measured; None unless it registered its BAR and removed it again."""
    register = (boot["setup"] or {}).get("register")
    teardown = boot["teardown"] or {}
    if not register or not teardown.get("remove_ns"):
        return None
    return {
        "overhead_bytes": (register["free_pages_before"] - register["free_pages_after"]) * PAGE,
        "register_ns": register["ns"],
        "remove_ns": teardown["remove_ns"],
        "device_zone_pages": register["device_zone_pages"],
        "pool_bytes": boot["setup"]["pool"]["size"],
        "granule": register.get("granule", 0),
        "page_tables": register.get("page_tables", 0) * PAGE,
    }


def _point(variant: str, bar: int, figures: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    median = {key: statistics.median(one[key] for one in figures) for key in figures[0]}
    spread = {
        key: {
            "median": median[key],
            "min": min(one[key] for one in figures),
            "max": max(one[key] for one in figures),
        }
        for key in _RESOLUTION
    }
    return {
        "variant": variant,
        "bar_bytes": bar,
        "n": len(figures),
        **spread,
        "device_zone_pages": median["device_zone_pages"],
        "granule": median["granule"] or None,
        "items": _items(median),
    }


def _items(median: Mapping[str, float]) -> dict[str, int] | None:
    """Say what memory without struct pages went into; None where there are struct pages.

    The rest is what the kernel keeps of objects and of page tables that map other things too.
    It is a difference, and may be a few pages below zero.
    """
    if median["device_zone_pages"] or not median["granule"]:
        return None
    bitmap = bitmap_bytes(int(median["pool_bytes"]), int(median["granule"]))
    tables = int(median["page_tables"])
    return {
        "bitmap": bitmap,
        "page_tables": tables,
        "rest": int(median["overhead_bytes"]) - bitmap - tables,
    }


def bitmap_bytes(pool: int, granule: int) -> int:
    """Return what the bitmap of a gen_pool takes: a bit a granule behind a header, whole pages."""
    header = 56  # struct gen_pool_chunk in lib/genalloc.c
    words = -(-pool // granule // 64) * 8
    return -(-(header + words) // PAGE) * PAGE


def _fit(
    variant: str, what: str, found: Mapping[tuple[str, int], Sequence[Mapping[str, float]]]
) -> dict[str, Any] | None:
    """Return the line through one figure of a variant's boots; None for under three sizes."""
    mine = {
        bar / GIB: [figures[what] for figures in boots]
        for (name, bar), boots in found.items()
        if name == variant
    }
    if len(mine) < 3:
        return None
    x = np.array([gib for gib, values in mine.items() for _ in values])
    y = np.array([value for values in mine.values() for value in values])
    line = fit_line(x, y, _RESOLUTION[what])
    worst = max(
        abs(
            statistics.median(values)
            / max(line["intercept"] + line["slope"] * gib, _RESOLUTION[what])
            - 1
        )
        for gib, values in mine.items()
    )
    return {
        "variant": variant,
        "what": what,
        "n": len(x),
        "intercept": line["intercept"],
        "per_gib": {"value": line["slope"], "low": line["low"], "high": line["high"]},
        "worst": worst,
        "method": METHOD,
    }


def fit_line(x: Any, y: Any, resolution: float) -> dict[str, float]:
    """Fit y = intercept + slope * x with errors in proportion; low and high bound the slope."""
    sigma = np.maximum(np.abs(y), resolution)
    for _ in range(_ROUNDS):
        (slope, intercept), covariance = np.polyfit(x, y, 1, w=1 / sigma, cov=True)
        sigma = np.maximum(np.abs(intercept + slope * x), resolution)
    t = scipy.stats.t.ppf((1 + CONFIDENCE) / 2, len(x) - 2)
    half = t * np.sqrt(covariance[0, 0])
    return {
        "intercept": float(intercept),
        "slope": float(slope),
        "low": float(slope - half),
        "high": float(slope + half),
    }

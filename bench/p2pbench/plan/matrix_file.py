# SPDX-License-Identifier: GPL-2.0
"""A matrix file: read and checked, each mistake named with file, line and what is allowed."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from p2pbench.base import program
from p2pbench.base.errors import BenchError
from p2pbench.base.paths import CONFIGS, shown
from p2pbench.base.toml_file import Key, LocatedToml, Parser, integer, listed, one_of, text, truth
from p2pbench.base.units import duration, percent, short, size
from p2pbench.plan.matrix import (
    DEFAULT_TESTBED,
    REQUIRED,
    WANTED,
    Compare,
    Matrix,
    Workload,
    name_of,
)
from p2pbench.plan.matrix_variants import kernel_in, read_defined, variant_in
from p2pbench.records.kinds import (
    COUNT,
    FIO,
    ORDINARY,
    PATTERN,
    PROVIDERS,
    SQES,
    has_queues_in_cmb,
    is_peer,
    plain,
)
from p2pbench.records.metrics import MARGINS
from p2pbench.records.virtual_time import least_ios

DEVICES = ("null_blk", "nvme")
_SCHEDULERS = ("none", "mq-deadline")
# I/Os that are submitted at once where the pattern is to be merged.
_BATCH = 16
# What a workload without a size reads and writes of the disk; the agent counts in as much.
_REGION = 64 << 20
# The most that the agent submits at once (IO_MAX_BATCH in bench/agent/work/io.h).
_LARGEST_COUNTED = 16 << 20
# What a pattern in a boot that counts moves, in blocks.
_PATTERN_BLOCKS = 4
_RW = ("read", "write", "randread", "randwrite", "rw", "randrw")
_DIRECTIONS = ("target-to-fabric", "fabric-to-target")


def find_matrix(name: str) -> Path:
    """Return the file of a matrix, given by its path or by its name in configs/matrix."""
    for path in (Path(name), CONFIGS / "matrix" / name, CONFIGS / "matrix" / f"{name}.toml"):
        if path.is_file():
            return path.resolve()
    have = ", ".join(sorted(path.stem for path in (CONFIGS / "matrix").glob("*.toml")))
    raise BenchError(f'no matrix "{name}": neither a file nor one of configs/matrix ({have})')


def _top(toml: LocatedToml) -> dict[str, Any]:
    def raw(value: Any) -> Any:
        return value

    fields = {
        "description": text,
        "testbed": text,
        "flavour": one_of("bench", "debug"),
        "blocks": integer(1),
        "most_blocks": integer(1),
        "aa": listed(_side),
        "margins": raw,
        "boots": raw,
        "workloads": raw,
        "patterns": raw,
        "compare": raw,
        "memory": raw,
        "counts": raw,
        "ordinary": raw,
        "variants": raw,
        "virtual_time": one_of(WANTED, REQUIRED),
        "rounds": integer(1, 100),
    }
    return toml.table((), toml.data, fields, ("blocks", "boots", "workloads"))


def _boots(toml: LocatedToml, blocks: int) -> tuple[tuple[dict[str, str], ...], dict[str, int]]:
    """Return the pairs, and the number of blocks of those that say it, by their names."""
    fields = {
        "variant": variant_in(toml),
        "providers": listed(one_of(*PROVIDERS)),
        "cmb_sqes": listed(truth),
        "blocks": integer(1),
    }
    pairs: list[dict[str, str]] = []
    first_blocks: dict[str, int] = {}
    for index, entry in enumerate(toml.tables("boots", fields, ("variant", "providers"))):
        if entry.get("blocks", blocks) > blocks:
            raise toml.error(("boots", index, "blocks"), f"the matrix has only {blocks} blocks")
        for provider in _with_sqes(toml, ("boots", index, "cmb_sqes"), entry, entry["providers"]):
            pair = {"variant": entry["variant"], "provider": provider}
            where = ("boots", index, "providers")
            if pair in pairs:
                raise toml.error(where, f"{pair['variant']} with {provider} stands twice")
            if is_peer(provider) and not kernel_in(toml, entry["variant"]).rxe_p2p:
                raise toml.error(
                    where,
                    f'variant "{entry["variant"]}" cannot use provider '
                    f'"{provider}": its rxe is no P2P client (allowed: host)',
                )
            pairs.append(pair)
            if "blocks" in entry:
                first_blocks[name_of(pair)] = entry["blocks"]
    return tuple(pairs), first_blocks


def _workload_fields() -> dict[str, Parser]:
    return {
        "rw": listed(one_of(*_RW)),
        "bs": listed(_block),
        "iodepth": listed(integer(1, 1024)),
        "numjobs": listed(integer(1, 64)),
        "verify": one_of("crc32c"),
        "size": size,
        "runtime": duration,
        "providers": listed(one_of(*PROVIDERS)),
    }


def _workloads(toml: LocatedToml, used: list[str]) -> list[Workload]:
    made = []
    for index, entry in enumerate(
        toml.tables("workloads", _workload_fields(), ("rw", "bs"), _fio_option)
    ):
        key = ("workloads", index)
        verify = entry.get("verify", "")
        if verify and max(entry.get("numjobs", [1])) > 1:
            raise toml.error(
                (*key, "numjobs"),
                "verify needs numjobs = 1: jobs that write the same blocks cannot verify them",
            )
        if verify and "runtime" in entry:
            raise toml.error(
                (*key, "runtime"),
                'a workload with verify moves its size once: give "size", not "runtime"',
            )
        if not verify and "runtime" not in entry:
            raise toml.error(key, 'key "runtime" is missing (such as "2s")')
        if verify and any("write" not in rw and "rw" not in rw for rw in entry["rw"]):
            raise toml.error((*key, "rw"), "verify needs a workload that writes")
        region = entry.get("size", _REGION)
        if any(region % bs for bs in entry["bs"]):
            raise toml.error(
                (*key, "size" if "size" in entry else "bs"),
                f"size {short(region)}"
                f"{'' if 'size' in entry else ' (the default)'} is no multiple of "
                "every bs",
            )
        providers = _used_by(toml, (*key, "providers"), entry, used)
        made += [
            _workload(
                rw, bs, iodepth, numjobs, verify, region, entry.get("runtime", 0.0), providers
            )
            for rw in entry["rw"]
            for bs in entry["bs"]
            for iodepth in entry.get("iodepth", [1])
            for numjobs in entry.get("numjobs", [1])
        ]
    return made


def _fio_option(name: str) -> str:
    """Return what an unknown key is if it is an option of fio's or another name of one, else ""."""
    try:
        told = program.run("fio", f"--cmdhelp={name}").stdout
    except BenchError:  # no fio: then a near miss is all that can be told
        return ""
    described = re.match(r" *(\w+): .*\n(?: +alias: (\w+)\n)?", told)
    if not described or name not in described.groups():
        return ""
    if described[1] in _workload_fields():
        return f'write "{described[1]}" for fio\'s "{name}" '
    return f'fio\'s option "{name}" is not supported '


def _workload(
    rw: str,
    bs: int,
    iodepth: int,
    numjobs: int,
    verify: str,
    region: int,
    runtime: float,
    providers: tuple[str, ...],
) -> Workload:
    name = f"{rw}-{short(bs)}-qd{iodepth}" + (f"-j{numjobs}" if numjobs > 1 else "")
    return Workload(
        name + ("-verify" if verify else ""),
        FIO,
        rw,
        bs,
        iodepth,
        numjobs,
        verify,
        region,
        runtime,
        providers,
    )


def _block(value: Any) -> int:
    count = size(value)
    if count % 512:
        raise ValueError(f'found "{value}"; a multiple of the disk\'s 512 bytes is allowed')
    return count


def _counted_block(value: Any) -> int:
    count = _block(value)
    if count > _LARGEST_COUNTED:
        raise ValueError(
            f'found "{value}"; what is counted has blocks of at most {short(_LARGEST_COUNTED)}'
        )
    return count


def _used_by(
    toml: LocatedToml, key: Key, entry: dict[str, Any], used: list[str]
) -> tuple[str, ...]:
    """Return the providers that run an entry; one that this matrix never boots is a mistake.

    A provider stands for its variations, too.
    """
    asked = entry.get("providers", PROVIDERS)
    booted = [plain(provider) for provider in used]
    for provider in entry.get("providers", []):
        if provider not in booted:
            raise toml.error(
                key, f'no boot of this matrix has provider "{provider}" ({", ".join(used)})'
            )
    return tuple(provider for provider in used if plain(provider) in asked)


def _patterns(toml: LocatedToml, used: list[str]) -> list[Workload]:
    fields = {
        "direction": listed(one_of(*_DIRECTIONS)),
        "bs": listed(_block),
        "size": size,
        "providers": listed(one_of(*PROVIDERS)),
    }
    made = []
    for index, entry in enumerate(toml.tables("patterns", fields, ("direction", "bs", "size"))):
        if any(entry["size"] % bs for bs in entry["bs"]):
            raise toml.error(("patterns", index, "size"), "size is no multiple of every bs")
        providers = _used_by(toml, ("patterns", index, "providers"), entry, used)
        made += [
            Workload(
                f"pattern-{direction}-{short(bs)}",
                PATTERN,
                direction,
                bs,
                1,
                1,
                "pattern",
                entry["size"],
                0.0,
                providers,
            )
            for direction in entry["direction"]
            for bs in entry["bs"]
        ]
    return made


def _memory(toml: LocatedToml, blocks: int) -> tuple[dict[str, Any], ...]:
    fields = {"variants": listed(variant_in(toml)), "bars": listed(size), "blocks": integer(1)}
    made = []
    for index, entry in enumerate(toml.tables("memory", fields, ("variants", "bars"))):
        if entry.get("blocks", 1) > blocks:
            raise toml.error(("memory", index, "blocks"), f"the matrix has only {blocks} blocks")
        if any(bar & (bar - 1) or bar < 1 << 20 for bar in entry["bars"]):
            raise toml.error(("memory", index, "bars"), "a BAR is a power of two, 1m at least")
        made += [
            {"variant": variant, "bar": bar, "blocks": entry.get("blocks", 1)}
            for variant in entry["variants"]
            for bar in entry["bars"]
        ]
    return tuple(made)


def _counts(toml: LocatedToml, blocks: int) -> tuple[list[Workload], tuple[dict[str, Any], ...]]:
    """Return what is counted through the fabric: the workloads, and which boots they need."""
    fields = {
        "variants": listed(variant_in(toml)),
        "providers": listed(one_of(*PROVIDERS)),
        "cmb_sqes": listed(truth),
        "rw": listed(one_of(*_RW[:4])),
        "bs": listed(_counted_block),
        "iodepth": listed(integer(1, 64)),
        "scheduler": listed(one_of(*_SCHEDULERS)),
        "ios": integer(1),
        "blocks": integer(1),
        "aa": integer(1),
        "verify": truth,
    }
    workloads, asked = [], []
    for index, entry in enumerate(toml.tables("counts", fields, ("variants", "rw", "bs", "ios"))):
        variants = tuple(entry["variants"])
        providers = entry.get("providers", ["bar"])
        for variant in variants:
            if any(map(is_peer, providers)) and not kernel_in(toml, variant).rxe_p2p:
                raise toml.error(
                    ("counts", index, "variants"),
                    f'variant "{variant}" cannot use peer memory: its rxe is no P2P client',
                )
        devices = _with_sqes(toml, ("counts", index, "cmb_sqes"), entry, providers)
        for iodepth in entry.get("iodepth", [1]):
            if entry["ios"] % iodepth:
                raise toml.error(
                    ("counts", index, "ios"),
                    f"found {entry['ios']}; a multiple of "
                    f"iodepth = {iodepth} is allowed: I/Os are submitted in batches",
                )
        counted = [
            Workload(
                _counted_name(device, rw, bs, iodepth, scheduler),
                COUNT,
                rw,
                bs,
                iodepth,
                1,
                "",
                _REGION,
                0.0,
                (_count_boot(device),),
                device,
                scheduler,
                entry["ios"],
                variants,
                entry.get("blocks", 0),
            )
            for device in devices
            for scheduler in entry.get("scheduler", ["none"])
            for rw in entry["rw"]
            for bs in entry["bs"]
            for iodepth in entry.get("iodepth", [1])
        ]
        workloads += counted
        if entry.get("verify"):
            workloads += _verified(counted)
        asked.append(
            _asked(toml, ("counts", index), entry, blocks)
            | {
                "boots": list(dict.fromkeys(map(_count_boot, devices))),
                "aa": entry.get("aa", entry.get("blocks", blocks)),
            }
        )
    return workloads, tuple(asked)


def _verified(counted: Sequence[Workload]) -> list[Workload]:
    """Return the patterns that prove, in the same boots, that data arrives as it was sent."""
    largest = max(counted, key=lambda one: one.bs)
    places = dict.fromkeys((one.device, one.providers) for one in counted)
    return [
        replace(
            largest,
            name=f"{COUNT}-{device}-pattern-{direction}-{short(largest.bs)}",
            kind=PATTERN,
            rw=direction,
            iodepth=1,
            verify="pattern",
            ios=0,
            size=_PATTERN_BLOCKS * largest.bs,
            device=device,
            providers=providers,
        )
        for device, providers in places
        for direction in _DIRECTIONS
    ]


def _counted_name(device: str, rw: str, bs: int, iodepth: int, scheduler: str) -> str:
    name = f"{COUNT}-{device}-{rw}-{short(bs)}-qd{iodepth}"
    return name if scheduler == "none" else f"{name}-{scheduler}"


def _count_boot(device: str) -> str:
    """Return the provider of the boots that count a device: queues in the CMB are set at boot."""
    return COUNT + SQES if has_queues_in_cmb(device) else COUNT


def _with_sqes(
    toml: LocatedToml, key: Key, entry: dict[str, Any], providers: Sequence[str]
) -> list[str]:
    """Return the providers of an entry with their variations."""
    if not all(map(is_peer, providers)) and any(entry.get("cmb_sqes", [])):
        raise toml.error(
            key, "queues in the CMB are a variation of the providers cmb and bar, not of host"
        )
    return [
        provider + SQES * sqes for sqes in entry.get("cmb_sqes", [False]) for provider in providers
    ]


def _ordinary(toml: LocatedToml, blocks: int) -> tuple[list[Workload], tuple[dict[str, Any], ...]]:
    """Return what is counted of I/O that has nothing to do with P2P, in the same way."""
    fields = {
        "variants": listed(variant_in(toml)),
        "devices": listed(one_of(*DEVICES)),
        "rw": listed(one_of(*_RW[:4])),
        "bs": listed(_counted_block),
        "scheduler": listed(one_of(*_SCHEDULERS)),
        "merge": truth,
        "ios": integer(1),
        "blocks": integer(1),
    }
    made, asked = [], []
    for index, entry in enumerate(
        toml.tables("ordinary", fields, ("variants", "devices", "rw", "bs", "ios"))
    ):
        merge = entry.get("merge", False)
        if merge and any(rw.startswith("rand") for rw in entry["rw"]):
            raise toml.error(
                ("ordinary", index, "merge"),
                'merge: only neighbouring I/Os merge; use rw = ["read", "write"]',
            )
        asked.append(_asked(toml, ("ordinary", index), entry, blocks))
        made += [
            Workload(
                f"{device}-{rw}-{short(bs)}-{'merge-' * merge}{scheduler}",
                ORDINARY,
                rw,
                bs,
                _BATCH if merge else 1,
                1,
                "",
                _REGION,
                0.0,
                (COUNT,),
                device,
                scheduler,
                entry["ios"],
                tuple(entry["variants"]),
                entry.get("blocks", 0),
            )
            for device in entry["devices"]
            for rw in entry["rw"]
            for bs in entry["bs"]
            for scheduler in entry.get("scheduler", ["none"])
        ]
    return made, tuple(asked)


def _asked(toml: LocatedToml, key: Key, entry: dict[str, Any], blocks: int) -> dict[str, Any]:
    """Return the boots that an entry needs: its variants, in the first blocks."""
    if entry.get("blocks", blocks) > blocks:
        raise toml.error((*key, "blocks"), f"the matrix has only {blocks} blocks")
    return {"variants": entry["variants"], "blocks": entry.get("blocks", blocks)}


def _side(value: Any) -> dict[str, str]:
    if not isinstance(value, str) or value.count("/") != 1:
        raise ValueError(f'found {value!r}; "variant/provider" is allowed, such as "page/bar"')
    variant, provider = value.split("/")
    return {"variant": variant, "provider": provider}


def _compare(toml: LocatedToml, pairs: tuple[dict[str, str], ...]) -> tuple[Compare, ...]:
    fields = {"name": text, "title": text, "baseline": _side, "candidate": _side}
    made: list[Compare] = []
    for index, entry in enumerate(toml.tables("compare", fields, tuple(fields))):
        for side in ("baseline", "candidate"):
            if entry[side] not in pairs:
                raise toml.error(
                    ("compare", index, side),
                    f"{side}: this matrix does not boot "
                    f'"{entry[side]["variant"]}/{entry[side]["provider"]}" '
                    f"({_names(pairs)})",
                )
        if entry["baseline"] == entry["candidate"]:
            raise toml.error(
                ("compare", index, "candidate"),
                "candidate: the same as baseline; "
                f'write aa = ["{_names((entry["baseline"],))}"] at the top to '
                "compare it with itself",
            )
        if any(other.name == entry["name"] for other in made):
            raise toml.error(("compare", index, "name"), f'name "{entry["name"]}" stands twice')
        made.append(Compare(**entry))
    return tuple(made)


def _twice(
    toml: LocatedToml, aa: list[dict[str, str]], pairs: tuple[dict[str, str], ...]
) -> tuple[dict[str, str], ...]:
    """Check the cells that are booted twice a block."""
    for pair in aa:
        if pair not in pairs:
            raise toml.error(
                ("aa",),
                f'aa: this matrix does not boot "{pair["variant"]}/'
                f'{pair["provider"]}" ({_names(pairs)})',
            )
    return tuple(aa)


def _names(pairs: tuple[dict[str, str], ...]) -> str:
    return ", ".join(map(name_of, pairs))


def _virtual_time(toml: LocatedToml, top: dict[str, Any], counted: list[Workload]) -> str:
    """Return whether virtual time is required; what it is measured with must then be there."""
    wanted: str = top.get("virtual_time", WANTED)
    if wanted == REQUIRED and not counted:
        raise toml.error(
            ("virtual_time",), "virtual_time: nothing could be timed in it, there is no [[counts]]"
        )
    for workload in counted:
        least = least_ios(workload.bs)
        if wanted == REQUIRED and workload.kind == COUNT and workload.ios < least:
            raise toml.error(
                ("virtual_time",),
                f"virtual_time: {workload.name} has ios = "
                f"{workload.ios}, which is too few to be timed; at least {least} "
                "is allowed",
            )
    return wanted


def _most_blocks(toml: LocatedToml, top: dict[str, Any]) -> int:
    """Return how far a budget may go: four times the blocks unless the matrix says otherwise."""
    most: int = top.get("most_blocks", 4 * top["blocks"])
    if most < top["blocks"]:
        raise toml.error(
            ("most_blocks",),
            f"most_blocks: found {most}; at least the matrix's "
            f"blocks, {top['blocks']}, is allowed",
        )
    return most


def read_matrix(path: Path) -> Matrix:
    """Read and check a matrix file; a mistake is an error with file:line, found and allowed."""
    toml = LocatedToml(path)
    top = _top(toml)
    variants = read_defined(toml)
    most = _most_blocks(toml, top)
    pairs, first_blocks = _boots(toml, most)
    used = [
        provider
        for sqes in ("", SQES)
        for provider in (name + sqes for name in PROVIDERS)
        if any(pair["provider"] == provider for pair in pairs)
    ]
    if not pairs:
        raise toml.error(("boots",), "boots is empty: nothing would run")
    workloads = _workloads(toml, used) + _patterns(toml, used)
    if not workloads:
        raise toml.error(("workloads",), "workloads is empty: nothing would run")
    counted, counts = _counts(toml, most)
    virtual_time = _virtual_time(toml, top, counted)
    others, ordinary = _ordinary(toml, most)
    workloads += counted + others
    names = [workload.name for workload in workloads]
    for name in names:
        if names.count(name) > 1:
            raise toml.error(("workloads",), f"workload {name} stands twice")
    margins = toml.table(("margins",), top.get("margins", {}), dict.fromkeys(MARGINS, percent))
    return Matrix(
        name=path.stem,
        file=shown(path),
        testbed=top.get("testbed", DEFAULT_TESTBED),
        flavour=top.get("flavour", "bench"),
        blocks=top["blocks"],
        boots=pairs,
        workloads=tuple(workloads),
        compare=_compare(toml, pairs),
        margins=MARGINS | margins,
        memory=_memory(toml, top["blocks"]),
        counts=counts,
        ordinary=ordinary,
        aa=_twice(toml, top.get("aa", []), pairs),
        most_blocks=most,
        virtual_time=virtual_time,
        rounds=top.get("rounds", 1),
        first_blocks=first_blocks,
        variants=variants,
    )

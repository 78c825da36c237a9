# SPDX-License-Identifier: GPL-2.0
"""p2pbench: the commands behind the Makefile's targets."""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from p2pbench.base import command, output

# A command imports what it needs, and no other does: `preflight` must run where packages are still
# missing, and reading a journal loads no kernel builder.


def _bench(args: argparse.Namespace) -> NoReturn:
    from p2pbench.base.paths import ROOT

    boots = ROOT / "bench" / "boots"
    options = [
        f"--{name}={value}"
        for name in ("matrix", "seed", "budget", "resume")
        if (value := getattr(args, name))
    ]
    os.execv(
        sys.executable,
        [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            str(boots / "pytest.ini"),
            f"--rootdir={boots}",
            str(boots),
            *options,
            *args.pytest,
        ],
    )


def _plan(args: argparse.Namespace) -> NoReturn:
    args.pytest.insert(0, "--collect-only")
    _bench(args)


def _report(args: argparse.Namespace) -> int:
    from p2pbench.records.runs import find_run
    from p2pbench.report import build

    return build.remake(find_run(args.run))


def _compare(args: argparse.Namespace) -> int:
    from p2pbench.report import two_runs

    two_runs.show(args.a, args.b)
    return 0


def _reference(args: argparse.Namespace) -> int:
    from p2pbench.base.paths import RESULTS, shown
    from p2pbench.records.runs import find_run
    from p2pbench.report import index, publish

    for path in publish.publish(find_run(args.run)):
        print(shown(path))
    index.write(RESULTS)
    return 0


def _linux(args: argparse.Namespace) -> None:
    from p2pbench.linux import kernel
    from p2pbench.linux.variants import find_variant, own_from_json
    from p2pbench.testbed import preflight

    own = own_from_json(args.own)
    variants = [own.get(name) or find_variant(name) for name in args.variant.split()]
    preflight.check_build([kernel.expected(variant, args.flavour) for variant in variants])
    for variant in variants:
        built = kernel.build(variant, args.flavour)
        print(f"{variant.name} ({args.flavour}): {built.directory}", flush=True)


def _tree(args: argparse.Namespace) -> None:
    from p2pbench.base.paths import shown
    from p2pbench.linux import tree
    from p2pbench.linux.variants import find_variant
    from p2pbench.testbed import preflight

    variant = find_variant(args.variant)
    preflight.check_build([], trees=0 if tree.tree_dir(variant).is_dir() else 1)
    print(shown(tree.make_tree(variant)))


def _series_export(args: argparse.Namespace) -> None:
    from p2pbench.linux import tree
    from p2pbench.linux.variants import find_variant

    changed = tree.export_series(find_variant(args.variant))
    print("\n".join(changed) if changed else "nothing changed")


def _series_check(args: argparse.Namespace) -> None:
    from p2pbench.base.errors import BenchError
    from p2pbench.linux import series_check
    from p2pbench.linux.variants import find_variant
    from p2pbench.testbed import preflight

    variant = find_variant(args.variant)
    preflight.check_build([], trees=2)
    complaints = series_check.check(variant)
    if not complaints and args.points:
        complaints += series_check.boot_points(variant, args.points.split(","))
    if complaints:
        raise BenchError(f"{len(complaints)} complaint(s):\n  " + "\n  ".join(complaints))
    print(f"{variant.name}: each of {len(variant.patches())} patches stands alone")


def _shell(args: argparse.Namespace) -> None:
    from p2pbench.base.errors import BenchError
    from p2pbench.linux.variants import find_variant
    from p2pbench.measure import shell
    from p2pbench.records.kinds import PROVIDERS, plain

    if plain(args.provider) not in PROVIDERS:
        raise BenchError(f'unknown provider "{args.provider}" ({", ".join(PROVIDERS)})')
    shell.run(find_variant(args.variant), args.flavour, args.provider)


def _preflight(args: argparse.Namespace) -> None:
    from p2pbench.testbed import preflight

    preflight.check_groups(args.groups)


def _cache(args: argparse.Namespace) -> None:
    from p2pbench.base import cache
    from p2pbench.base.errors import BenchError
    from p2pbench.base.paths import cache_dir, shown
    from p2pbench.base.units import GIB, size

    listed = cache.entries()
    total = sum(entry.size for entry in listed)
    print("\n".join(cache.lines(listed)))
    print(
        f"{shown(cache_dir())}: {total / GIB:.1f} GiB; `make cache LIMIT=10g` removes what "
        "was used longest ago, until no more than that is left"
    )
    if not args.limit:
        return
    try:
        limit = size(args.limit)
    except ValueError as error:
        raise BenchError(f"LIMIT: {error}") from None
    removed, busy = cache.prune(limit)
    for entry in removed:
        print(f"removed: {entry.kind} {entry.path.name}")
    for entry in busy:
        print(f"left, as a process uses it: {entry.kind} {entry.path.name}")
    if not removed and not busy:
        print(f"no more than the limit of {args.limit}: nothing was removed")


def _clean(_args: argparse.Namespace) -> None:
    from p2pbench.base import cache
    from p2pbench.base.lock import locked
    from p2pbench.base.paths import BUILD, RESULTS, cache_dir, shown
    from p2pbench.linux import tree
    from p2pbench.linux.variants import read_variants

    for variant in read_variants().values():
        tree.check_saved(variant)
    build_size = cache.size_of(BUILD)
    if BUILD.exists():
        # What another process builds there must not go from under it.
        with locked("objects", BUILD), locked("trees", BUILD), locked("tools", BUILD):
            _remove_build()
    print(
        f"removed {shown(BUILD)} ({build_size}); left: {shown(cache_dir())} "
        f"({cache.size_of(cache_dir())}, see `make cache`), what ccache keeps, and "
        f"{shown(RESULTS)} ({cache.size_of(RESULTS)})"
    )


def _remove_build() -> None:
    """Remove build/; where it is a link, all that is in the directory that it leads to."""
    from p2pbench.base.paths import BUILD

    if not BUILD.is_symlink():
        shutil.rmtree(BUILD)
        return
    for path in BUILD.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


class Command(NamedTuple):
    """What a command does, its options with their defaults, and the words that follow them.

    The function returns the exit status; None says that what it printed is its result. A word that
    ends in "..." stands for any number of them.
    """

    function: Callable[[argparse.Namespace], int | None]
    what: str
    options: dict[str, str] = {}
    words: tuple[str, ...] = ()


_RUN = {"matrix": "", "seed": "", "budget": "", "resume": ""}
_VARIANT = {"variant": "page"}
_KERNEL = _VARIANT | {"flavour": "bench"}
COMMANDS = {
    "bench": Command(_bench, "run a matrix; what follows -- is pytest's", _RUN, ("pytest...",)),
    "plan": Command(_plan, "show the boots that it would run", _RUN, ("pytest...",)),
    "report": Command(_report, "make the report of a run again", words=("run",)),
    "compare": Command(_compare, "one run (b) against another (a)", words=("a", "b")),
    "reference": Command(_reference, "publish a run", words=("run",)),
    "linux": Command(_linux, "build kernels", _KERNEL | {"own": "{}"}),
    "tree": Command(_tree, "make a variant's source as a git tree", _VARIANT),
    "series-export": Command(_series_export, "write that tree's commits to linux/", _VARIANT),
    "series-check": Command(_series_check, "check each patch by itself", _VARIANT | {"points": ""}),
    "shell": Command(_shell, "boot a guest and give it a prompt", _KERNEL | {"provider": "bar"}),
    "preflight": Command(
        _preflight, "say what is missing of groups of bench/deps.sh", words=("groups...",)
    ),
    "cache": Command(_cache, "show what the cache holds, and prune it", {"limit": ""}),
    "clean": Command(_clean, "remove build/"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="p2pbench", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, (function, what, options, words) in COMMANDS.items():
        subparser = commands.add_parser(name, help=what, description=what, allow_abbrev=False)
        for option, default in options.items():
            subparser.add_argument(f"--{option}", default=default)
        for word in words:
            if word.endswith("..."):
                subparser.add_argument(word.removesuffix("..."), nargs="*")
            else:
                subparser.add_argument(word)
        subparser.set_defaults(function=function)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status. Raises BenchError for what the user can mend."""
    args = _parser().parse_args(arguments)
    status: int | None = args.function(args)
    if status is None:
        return command.FAILED if output.is_lost() else 0
    return status


if __name__ == "__main__":
    sys.exit(command.run(main))

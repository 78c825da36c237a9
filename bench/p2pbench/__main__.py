"""The commands behind the Makefile's targets, other than the benchmark itself."""

import argparse
import shutil
import sys
from collections.abc import Callable

from . import cache, command, kernel, output, preflight, seriescheck, shell, tree
from .errors import BenchError
from .located import size
from .matrix import PROVIDERS
from .paths import BUILD, RESULTS, cache_dir, shown
from .variants import find_variant, read_variants


def _linux(args: argparse.Namespace) -> None:
    variants = [find_variant(name) for name in args.variant.split()]
    preflight.check_build([kernel.expected(variant, args.flavour) for variant in variants])
    for variant in variants:
        built = kernel.build(variant, args.flavour)
        print(f"{variant.name} ({args.flavour}): {built.directory}", flush=True)


def _tree(args: argparse.Namespace) -> None:
    variant = find_variant(args.variant)
    preflight.check_build([], trees=0 if tree.tree_dir(variant).is_dir() else 1)
    print(shown(tree.make_tree(variant)))


def _series_export(args: argparse.Namespace) -> None:
    changed = tree.export_series(find_variant(args.variant))
    print("\n".join(changed) if changed else "nothing changed")


def _shell(args: argparse.Namespace) -> None:
    if args.provider not in PROVIDERS:
        raise BenchError(f'unknown provider "{args.provider}" ({", ".join(PROVIDERS)})')
    shell.run(find_variant(args.variant), args.flavour, args.provider)


def _clean(_args: argparse.Namespace) -> None:
    for variant in read_variants().values():
        tree.check_saved(variant)
    build_size = cache.size_of(BUILD)
    _remove_build()
    print(f"removed {shown(BUILD)} ({build_size}); left: {shown(cache_dir())} "
          f"({cache.size_of(cache_dir())}, see `make cache`), what ccache keeps, and "
          f"{shown(RESULTS)} ({cache.size_of(RESULTS)})")


def _remove_build() -> None:
    """Remove build/; where it is a link, all that is in the directory that it leads to."""
    if not BUILD.is_symlink():
        if BUILD.exists():
            shutil.rmtree(BUILD)
        return
    for path in BUILD.iterdir() if BUILD.exists() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _series_check(args: argparse.Namespace) -> None:
    variant = find_variant(args.variant)
    preflight.check_build([], trees=2)
    complaints = seriescheck.check(variant)
    if not complaints and args.points:
        complaints += seriescheck.boot_points(variant, args.points.split(","))
    if complaints:
        raise BenchError(f"{len(complaints)} complaint(s):\n  " + "\n  ".join(complaints))
    print(f"{variant.name}: each of {len(variant.patches())} patches stands alone")


def _cache(args: argparse.Namespace) -> None:
    listed = cache.entries()
    total = sum(entry.size for entry in listed)
    print("\n".join(cache.lines(listed)))
    print(f"{shown(cache_dir())}: {total / (1 << 30):.1f} GiB; `make cache LIMIT=10g` removes what "
          "was used longest ago, until no more than that is left")
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


# What each command does, and its options with their defaults.
_COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], None], dict[str, str]]] = {
    "linux": (_linux, {"variant": "page", "flavour": "bench"}),
    "tree": (_tree, {"variant": "page"}),
    "series-export": (_series_export, {"variant": "page"}),
    "series-check": (_series_check, {"variant": "page", "points": ""}),
    "shell": (_shell, {"variant": "page", "flavour": "bench", "provider": "bar"}),
    "cache": (_cache, {"limit": ""}),
    "clean": (_clean, {})}


def main() -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="p2pbench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, (function, options) in _COMMANDS.items():
        subparser = commands.add_parser(name)
        for option, default in options.items():
            subparser.add_argument(f"--{option}", default=default)
        subparser.set_defaults(function=function)
    args = parser.parse_args()
    args.function(args)
    return command.FAILED if output.is_lost() else 0


if __name__ == "__main__":
    sys.exit(command.run(main))

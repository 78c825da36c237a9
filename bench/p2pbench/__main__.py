"""The commands behind the Makefile's targets, other than the benchmark itself."""

import argparse
import shutil
import sys

from . import command, kernel, output, preflight, seriescheck, shell, tree
from .errors import BenchError
from .matrix import PROVIDERS
from .paths import BUILD, shown
from .variants import find_variant, read_variants


def _linux(args: argparse.Namespace) -> None:
    variant = find_variant(args.variant)
    preflight.check_build([kernel.expected(variant, args.flavour)])
    built = kernel.build(variant, args.flavour)
    print(f"{args.variant} ({args.flavour}): {built.directory}")


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
    shutil.rmtree(BUILD, ignore_errors=True)


def _series_check(args: argparse.Namespace) -> None:
    variant = find_variant(args.variant)
    preflight.check_build([], trees=2)
    complaints = seriescheck.check(variant)
    if not complaints and args.points:
        complaints += seriescheck.boot_points(variant, args.points.split(","))
    if complaints:
        raise BenchError(f"{len(complaints)} complaint(s):\n  " + "\n  ".join(complaints))
    print(f"{variant.name}: each of {len(variant.patches())} patches stands alone")


_COMMANDS = {"linux": _linux, "tree": _tree, "series-export": _series_export,
             "series-check": _series_check, "shell": _shell, "clean": _clean}


def main() -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="p2pbench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, function in _COMMANDS.items():
        one = commands.add_parser(name)
        one.add_argument("--provider", default="bar")
        one.add_argument("--points", default="", help="patches to boot after, 0018,0024,...")
        one.add_argument("--variant", default="page")
        one.add_argument("--flavour", default="bench")
        one.set_defaults(function=function)
    args = parser.parse_args()
    args.function(args)
    return command.FAILED if output.is_lost() else 0


if __name__ == "__main__":
    sys.exit(command.run(main))

# SPDX-License-Identifier: GPL-2.0
"""Plant the naive form of each known risk in the pageless kernel, and see a test fail.

Each patch here names the test that must catch it (Caught-by), and the flavour of the kernel
that it takes (Flavour, bench if it names none). Arguments are the patches' names, to run
only these: R1 R8. The exit status is 1 if one was missed.
"""

import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from p2pbench.base import command, program
from p2pbench.base.paths import BUILD, ROOT, own_environment
from p2pbench.linux.kernel import building, compile_tree, expected, install
from p2pbench.linux.tree import git, make_tree
from p2pbench.linux.variants import Variant, find_variant
from p2pbench.testbed import preflight

PATCHES = ROOT / "tests" / "naive"
WORK = BUILD / "naive"
# A test whose guest hangs is ended by its own deadlines; this is for one that has none.
PATIENCE_S = {"bench": 600, "debug": 3000}


@dataclass(frozen=True)
class Mutant:
    """A planted mistake: what it is, and where it has to be seen."""

    name: str
    patch: Path
    what: str
    test: str
    flavour: str

    @property
    def variant(self) -> Variant:
        """The kernel that it is planted in."""
        has_tests = self.flavour == "debug" or self.test.startswith("tests/kunit/")
        return find_variant("pageless-kunit" if has_tests else "pageless")

    @property
    def files(self) -> list[str]:
        """The files of the kernel that it changes."""
        return re.findall(r"^\+\+\+ b/(\S+)$", self.patch.read_text(), re.M)


def read_mutant(patch: Path) -> Mutant:
    """Read the head of a patch."""
    head = patch.read_text().split("\n---\n")[0]
    fields = dict(re.findall(r"^([\w-]+): (\S+)$", head, re.M))
    return Mutant(
        patch.stem,
        patch,
        " ".join(head.split("\n\n")[0].split()),
        fields["Caught-by"],
        fields.get("Flavour", "bench"),
    )


def build_mutant(mutant: Mutant) -> Path:
    """Build the kernel with the mistake in it; return the directory of the build.

    In the variant's own tree, so that little is built again, and only while it builds.
    """
    target = WORK / f"kernel-{mutant.name}"
    shutil.rmtree(target, ignore_errors=True)
    with building() as locks:
        tree = make_tree(mutant.variant)
        git(tree, "apply", "--index", str(mutant.patch))
        try:
            compile_tree(tree, mutant.variant, mutant.flavour, locks)
            install(tree, tree / f"obj-{mutant.flavour}", target)
        finally:
            # Not "reset --hard": it writes every file whose time is not the one in the index.
            git(tree, "checkout", "-q", "HEAD", "--", *mutant.files)
    return target


def run_test(mutant: Mutant, kernel: Path) -> tuple[bool, str]:
    """Run the test that has to fail; say whether it did, and in which words."""
    log = WORK / f"{mutant.name}.log"
    arguments = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        "tests/pytest.ini",
        "--rootdir=tests",
        "-x",
        f"--kernel={kernel}",
        f"--timeout={PATIENCE_S[mutant.flavour]}",
        mutant.test,
    ]
    with log.open("w") as stream:
        status = program.run(
            *arguments,
            cwd=ROOT,
            output=stream,
            extra=own_environment() | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        ).returncode
    text = log.read_text(errors="replace")
    words = re.findall(r"^E +((?:Failed|AssertionError|assert).+)$", text, re.M)
    if status not in (0, 1) or 'in stage "boot"' in text:
        return False, f"it did not run: see {log}"
    return status == 1, words[0] if words else text.strip().splitlines()[-1]


def main(names: list[str]) -> int:
    """Run all mutants, or those that are named."""
    mutants = [
        read_mutant(patch)
        for patch in sorted(PATCHES.glob("*.patch"))
        if not names or patch.stem in names
    ]
    preflight.check([expected(mutant.variant, mutant.flavour) for mutant in mutants])
    missed = []
    for flavour in sorted({mutant.flavour for mutant in mutants}):
        for mutant in [one for one in mutants if one.flavour == flavour]:
            started = time.monotonic()
            kernel = build_mutant(mutant)
            built = time.monotonic()
            caught, words = run_test(mutant, kernel)
            print(
                f"{mutant.name:14} {'caught' if caught else 'MISSED'}  {mutant.what}\n"
                f"{'':22} {mutant.test}\n{'':22} {words[:300]}\n"
                f"{'':22} {built - started:.0f} s to build, {time.monotonic() - built:.0f} s to "
                f"{'catch' if caught else 'miss'}",
                flush=True,
            )
            missed += [] if caught else [mutant.name]
    print(
        f"{len(mutants) - len(missed)} of {len(mutants)} caught"
        + (f"; missed: {' '.join(missed)}" if missed else "")
    )
    return 1 if missed or not mutants else 0


if __name__ == "__main__":
    # It takes the mistake out of the tree whatever signal ends us.
    sys.exit(command.run(lambda: main(sys.argv[1:])))

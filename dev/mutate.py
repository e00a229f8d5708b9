"""Break fastRCNN/ in one place after the other and see whether the tests notice: python3 dev/mutate.py [--count 30]

Places are drawn at random, repeatably (--seed), among all arithmetic, comparisons, conditions and whole numbers in the
functions of fastRCNN/, as many from each file as it has lines, about. Each is broken in one way:

    sign          a + b becomes a - b, a * b becomes a / b, and the other way round
    comparison    a < b becomes a <= b, == becomes !=, and so on
    off by one    a whole number in arithmetic, a comparison or an index becomes the next one
    dropped term  a + b and a - b become a, a and b, a or b become a

Places in `NO_DIFFERENCE` are not drawn: whatever stands there, the result is the same, and the reason is said.

Then the tests of fastRCNN/ run on a copy of the project, until one fails; where none does, those of the steps as well.
Prints a line for each, and at the end how many were noticed. --show prints the places without running anything.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import argparse
import ast
import os
import random
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from helpers.base.script import run_script

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "fastRCNN"
TESTS = (  # tried one after the other
    ("tests/fastRCNN", "-m", "not slow"),
    ("tests/fastRCNN", "-m", "slow"),
    (
        "tests/pipeline",
        "tests/scripts/test_steps.py",
        "tests/scripts/test_train_network.py",
        "tests/scripts/test_thin_images.py",
    ),
)
NO_DIFFERENCE = {  # (file, what stands there, what would stand there): why no test can notice
    ("detection.py", "found.scores > floor", "found.scores >= floor"): "a box at the floor has the weight 0",
}
SECONDS = 600  # a mutant that loops for ever counts as noticed
SIGNS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
OFF_BY_ONE = (ast.BinOp, ast.Compare, ast.Subscript, ast.Slice)  # what a number must be part of
COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
}  # fmt: skip


@dataclass(frozen=True)
class Mutation:
    """A place in a file of fastRCNN/, from byte `start` to `end`, and what stands there instead of it."""

    path: Path
    line: int
    start: int
    end: int
    before: str
    after: str

    def __str__(self):
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.before}  ->  {self.after}"


def mutations_of(path):
    """All places of a file, in their order."""
    source = path.read_bytes()
    tree = ast.parse(source)
    line_starts = [0]
    for line in source.splitlines(keepends=True):
        line_starts.append(line_starts[-1] + len(line))
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for statement in function.body:
            for node, parent in _expressions(statement):
                for after in _broken(node, parent):
                    start = line_starts[node.lineno - 1] + node.col_offset
                    end = line_starts[node.end_lineno - 1] + node.end_col_offset
                    before = source[start:end].decode()
                    if (path.name, before, ast.unparse(after)) not in NO_DIFFERENCE:
                        found.append(Mutation(path, node.lineno, start, end, before, f"({ast.unparse(after)})"))
    return sorted(set(found), key=lambda item: (item.start, item.after))


def _expressions(statement):
    """All expressions in a statement but for those of functions in it, messages and annotations: (expression, what it
    is part of)."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.Raise, ast.Assert)):
        return
    for name, value in ast.iter_fields(statement):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.expr):
                yield child, statement
            if isinstance(child, ast.AST) and not isinstance(child, (ast.JoinedStr, ast.FunctionDef)):
                yield from _expressions(child)


def _broken(node, parent):
    """What may stand in the place of an expression that is part of another one."""
    if isinstance(node, ast.BinOp) and type(node.op) in SIGNS:
        yield ast.BinOp(node.left, SIGNS[type(node.op)](), node.right)
        if isinstance(node.op, (ast.Add, ast.Sub)):
            yield node.left
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        yield ast.Compare(node.left, [COMPARISONS[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield node.values[0]
    elif isinstance(node, ast.Constant) and type(node.value) is int and isinstance(parent, OFF_BY_ONE):
        yield ast.Constant(node.value + 1)


def draw(count, seed):
    """`count` mutations, of different lines."""
    paths = sorted((ROOT / PACKAGE).rglob("*.py"))
    by_line = {}
    for path in paths:
        for mutation in mutations_of(path):
            by_line.setdefault((path, mutation.line), []).append(mutation)
    numbers = random.Random(seed)
    lines = numbers.sample(sorted(by_line), count)
    return [numbers.choice(by_line[line]) for line in sorted(lines)]


def is_noticed(mutation, folder):
    """Whether a test fails in a copy of the project that is broken in one place; the copy is whole again afterwards."""
    path = folder / mutation.path.relative_to(ROOT)
    whole = path.read_bytes()
    path.write_bytes(whole[: mutation.start] + mutation.after.encode() + whole[mutation.end :])
    try:
        for tests in TESTS:
            command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
            environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
            try:
                process = subprocess.run(
                    command, cwd=folder, env=environment, capture_output=True, timeout=SECONDS, check=False
                )
            except subprocess.TimeoutExpired:
                return True
            if process.returncode not in (0, 5):  # 5: no test of that kind
                return True
        return False
    finally:
        path.write_bytes(whole)


def copy_project(folder):
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)


def main(options):
    """Print what was noticed; returns the mutations that were not."""
    chosen = draw(options.count, options.seed)
    if options.show:
        print(*chosen, sep="\n")
        return []
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, str(index)) for index in range(options.jobs)]
        for place in places:
            copy_project(place)
        free = list(places)

        def judge(mutation):
            place, start = free.pop(), time.monotonic()
            noticed = is_noticed(mutation, place)
            free.append(place)
            print(f"{'noticed' if noticed else 'MISSED '} {time.monotonic() - start:4.0f} s  {mutation}", flush=True)
            return noticed

        with ThreadPoolExecutor(options.jobs) as executor:
            noticed = list(executor.map(judge, chosen))
    print(f"{sum(noticed)} of {len(chosen)} noticed (seed {options.seed})")
    return [mutation for mutation, was_noticed in zip(chosen, noticed, strict=True) if not was_noticed]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutations at a time (default: one per core)")
    parser.add_argument("--show", action="store_true", help="print the places only")
    given = parser.parse_args()
    run_script(lambda: main(given) and None)

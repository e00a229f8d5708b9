"""Changes every kind of file that the project reads, at random but repeatably, and tells what became of it.

    python3 dev/fuzz.py                              3,000 cases, two at a time: some minutes
    python3 dev/fuzz.py --only records --count 500   one kind of file
    python3 dev/fuzz.py --seed 3 --only records --case 17    one case again, in full; its folder stays

A case changes one file, runs the scripts that read it, and asks an oracle. It ends as a clean error (one clear line), a
right result, a traceback, a wrong result, a hang or with too much memory taken; the last four should not be there.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for variable, value in (("OMP_NUM_THREADS", "1"), ("LOKY_MAX_CPU_COUNT", "1"), ("MPLBACKEND", "agg")):
    os.environ.setdefault(variable, value)
sys.path[:0] = [str(ROOT / "dev"), str(ROOT), str(ROOT / "tools"), str(ROOT / "tests")]
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

from fuzzing.base import build_in_a_process, preload  # noqa: E402 (after the paths)
from fuzzing.command_kinds import COMMAND_KINDS  # noqa: E402
from fuzzing.download_kinds import DOWNLOAD_KINDS  # noqa: E402
from fuzzing.image_kinds import IMAGE_KINDS  # noqa: E402
from fuzzing.import_kinds import IMPORT_KINDS  # noqa: E402
from fuzzing.model_kinds import MODEL_KINDS  # noqa: E402
from fuzzing.step_kinds import STEP_KINDS  # noqa: E402
from fuzzing.trials import BAD, OUTCOMES  # noqa: E402
from fuzzing.workers import run_cases  # noqa: E402

KINDS = {
    kind.name: kind
    for kinds in (STEP_KINDS, IMPORT_KINDS, MODEL_KINDS, IMAGE_KINDS, DOWNLOAD_KINDS, COMMAND_KINDS)
    for kind in kinds
}


def fuzz(cases, seed, folder, jobs=2, progress=lambda result, count: None):
    """Run cases [(`Kind`, number)]; returns their `Result`s, those of one kind in order."""
    base = folder / "base"
    base.mkdir(parents=True)
    preload()
    build_in_a_process(base)
    results = []
    for result in run_cases(cases, base, folder / "cases", seed, jobs=jobs):
        results.append(result)
        progress(result, len(results))
    return sorted(results, key=lambda result: (result.kind, result.number))


def table(results):
    """How many cases of each kind ended how, as text."""
    counts = defaultdict(lambda: dict.fromkeys(OUTCOMES, 0))
    for result in results:
        counts[result.kind][result.outcome] += 1
        counts["all"][result.outcome] += 1
    names = [*sorted(counts.keys() - {"all"}), "all"]
    width = max(map(len, [*names, "kind"]))
    lines = [f"{'kind':{width}}  cases  " + "  ".join(OUTCOMES)]
    for name in names:
        cells = "  ".join(f"{count:>{len(outcome)}}" for outcome, count in counts[name].items())
        lines.append(f"{name:{width}}  {sum(counts[name].values()):>5}  {cells}")
    return "\n".join(lines)


def causes(results, seed):
    """The bad ones, grouped by what seems to be the cause, with the command that shows the first of them again."""
    groups = defaultdict(list)
    for result in results:
        if result.outcome in BAD:
            groups[result.outcome, result.cause].append(result)
    lines = []
    for (outcome, cause), group in sorted(groups.items(), key=lambda item: -len(item[1])):
        lines.append(f"{len(group):4} {outcome}: {' '.join(cause.split())}")
        of_kind = defaultdict(list)
        for result in group:
            of_kind[result.kind].append(str(result.number))
        for kind, numbers in of_kind.items():
            more = f"   (and {', '.join(numbers[1:])})" if numbers[1:] else ""
            lines.append(f"       python3 dev/fuzz.py --seed {seed} --only '{kind}' --case {numbers[0]}{more}")
    return "\n".join(lines)


def show_progress(total):
    def show(result, count):
        if result.outcome in BAD:
            print(f"{result.kind} {result.number}: {result.outcome}, {result.cause}", file=sys.stderr)
        if count % 100 == 0:
            print(f"{count} of {total}", file=sys.stderr, flush=True)

    return show


def main(arguments):
    """Run the cases that the command line asks for; returns the exit code, 1 where one of them ended badly."""
    kinds = [KINDS[name] for name in arguments.only] if arguments.only else list(KINDS.values())
    each = -(-arguments.count // len(kinds))
    numbers = [arguments.case] if arguments.case is not None else range(each)
    cases = [(kind, number) for number in numbers for kind in kinds]
    if arguments.folder:
        os.makedirs(arguments.folder, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=arguments.folder))
    results = fuzz(cases, arguments.seed, folder, arguments.jobs, show_progress(len(cases)))
    if len(results) == 1:
        (result,) = results
        print("\n".join(result.done), result.outcome, result.details, f"its folder: {folder / 'cases'}", sep="\n")
    else:
        shutil.rmtree(folder, ignore_errors=True)
        print(table(results))
        print(causes(results, arguments.seed))
    return int(any(result.outcome in BAD for result in results))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="another seed: other cases")
    parser.add_argument("--count", type=int, default=3000, metavar="N", help="cases of all kinds together")
    parser.add_argument("--only", nargs="+", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--case", type=int, metavar="N", help="this one case, with --only KIND")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes at a time")
    parser.add_argument("--folder", help="where the folders of the cases are made (default: the system's)")
    sys.exit(main(parser.parse_args()))

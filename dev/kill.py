"""Kills steps 1 to 5, an import and a download at random moments, and looks at what is left and at what a rerun makes.

    python3 dev/kill.py                     200 kills: some minutes
    python3 dev/kill.py --only getData --count 20
    python3 dev/kill.py --seed 3 --only '3_runNetwork (nn)' --kill 5     one again; its folder stays

Half of the kills come after a random time, half just before, amid or after a change of the file system (a rename, a
new folder, a removal). Then what follows in the sequence must refuse to go on, unless all is done; the same command,
run again, must end with the bytes of an undisturbed run, and no file may be there that an undisturbed run does not
leave. Some reruns are killed as well, up to three times.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for variable, value in (("OMP_NUM_THREADS", "1"), ("LOKY_MAX_CPU_COUNT", "1"), ("MPLBACKEND", "agg")):
    os.environ.setdefault(variable, value)
sys.path[:0] = [str(ROOT / "dev"), str(ROOT), str(ROOT / "tools"), str(ROOT / "tests")]
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

from fuzzing.base import preload  # noqa: E402 (after the paths)
from killing.processes import NEVER, UNCLEAR, Moment, run_until  # noqa: E402
from killing.targets import download_target, import_target, start_server, step_targets  # noqa: E402

VERDICTS = ("equal", "other bytes", "files left", "half accepted", "rerun failed")


@dataclass(frozen=True)
class Verdict:
    """What became of one run: the target's name, its number, one of `VERDICTS`, details, and how often it died."""

    target: str
    number: int
    verdict: str
    details: str
    kills: int


def contents(folder):
    """Path below a folder -> bytes; the folder's own name, which reports hold, is cut out of them.

    Not the curves of TensorBoard: each training writes a file of its own, named by the time; nor remembered
    fingerprints, which hold times, and are there only where files were old enough.
    """
    name = str(folder).encode()
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().replace(name, b"") if path.is_file() else b"folder"
        for path in sorted(folder.rglob("*"))
        if "tensorboard" not in path.parts and path.name != ".fingerprints.json"
    }


def moment_for(target, source):
    """A random moment of the target's run."""
    if source.random() < 0.5:
        return Moment(seconds=source.random() * target.seconds)
    return Moment(None, source.randint(1, target.calls), source.choice(("before", "half", "after")))


def kill_once(target, number, seed, folder):
    """Kill the target's command, look, and run it again; a `Verdict`."""
    source = random.Random(f"{seed} {target.name} {number}")
    own, streams = folder / "run", folder / "streams"
    shutil.copytree(target.before, own)
    wanted, kills, said = contents(target.after), 0, []
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        moment = moment_for(target, source)
        end = run_until(moment, target.command(own), streams, target.prepare)
        kills += end.killed
        said.append(str(moment) if end.killed else f"{moment}: had ended, {end.err[-300:]}")

    def verdict(name, details=""):
        return Verdict(target.name, number, name, f"killed {', then '.join(said)}: {details}", kills)

    if target.following and (problem := _accepts_half(target, own, streams, wanted)):
        return verdict("half accepted", problem)
    end = run_until(NEVER, target.command(own), streams, target.prepare)
    if end.code and not ("holds files already" in end.err and not _differences(own, wanted)):
        return verdict("rerun failed", end.err[-1500:])
    found = contents(own)
    if more := sorted(found.keys() - wanted.keys()):
        return verdict("files left", ", ".join(more[:5]))
    if other := _differences(own, wanted):
        return verdict("other bytes", ", ".join(other[:5]))
    return verdict("equal")


def _differences(folder, wanted):
    """Names of what is missing in a folder, or has other bytes than wanted."""
    found = contents(folder)
    return sorted(name for name in wanted if found.get(name) != wanted[name])


def _accepts_half(target, own, streams, wanted):
    """Whether what comes next in the sequence goes on although something is missing; in a copy. "": it does not."""
    copy = own.parent / "copy"
    shutil.copytree(own, copy, symlinks=True)
    missing = _differences(own, wanted)
    end = run_until(NEVER, target.following(copy), streams)
    shutil.rmtree(copy)
    if end.code == UNCLEAR:
        return end.err[-500:]
    return f"{missing[0]} is not as it will be, yet what follows ran" if missing and end.code == 0 else ""


def kill_all(targets, count, seed, folder, progress=lambda verdict, kills: None):
    """Kill targets in turns until `count` kills are done; returns the `Verdict`s."""
    verdicts, kills, number = [], 0, 0
    while kills < count:
        for target in targets:
            own = folder / f"{number}"
            verdicts.append(kill_once(target, number // len(targets), seed, own))
            shutil.rmtree(own)
            kills, number = kills + verdicts[-1].kills, number + 1
            progress(verdicts[-1], kills)
            if kills >= count:
                break
    return verdicts


def table(verdicts):
    """Kills and verdicts of each target, as text."""
    counts, kills = defaultdict(Counter), Counter()
    for verdict in verdicts:
        for name in (verdict.target, "all"):
            counts[name][verdict.verdict] += 1
            kills[name] += verdict.kills
    names = [*sorted(counts.keys() - {"all"}), "all"]
    width = max(map(len, names))
    lines = [f"{'target':{width}}  kills  runs  " + "  ".join(VERDICTS)]
    for name in names:
        cells = "  ".join(f"{counts[name][verdict]:>{len(verdict)}}" for verdict in VERDICTS)
        lines.append(f"{name:{width}}  {kills[name]:>5}  {counts[name].total():>4}  {cells}")
    return "\n".join(lines)


def make_targets(folder, url, only=None):
    """All targets, or those named; each was run once undisturbed."""
    folder.mkdir(parents=True)
    targets = [*step_targets(folder), import_target(folder), download_target(folder, url)]
    return [target for target in targets if only is None or target.name in only]


def main(arguments):
    """Kill what the command line asks for; returns the exit code, 1 where something was not as undisturbed."""
    preload()
    if arguments.folder:
        os.makedirs(arguments.folder, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="kill-", dir=arguments.folder))
    server, url = start_server()
    try:
        targets = make_targets(folder / "targets", url, arguments.only)
        if arguments.kill is not None:
            verdicts = [kill_once(target, arguments.kill, arguments.seed, folder / "one") for target in targets]
            print("\n".join(verdict.details for verdict in verdicts), f"its folder: {folder / 'one'}", sep="\n")
        else:
            verdicts = kill_all(
                targets, arguments.count, arguments.seed, folder,
                lambda verdict, kills: print(f"{kills} kills", end="\r", file=sys.stderr),
            )  # fmt: skip
            shutil.rmtree(folder)
    finally:
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)
    print(table(verdicts))
    for verdict in verdicts:
        if verdict.verdict != "equal":
            command = f"python3 dev/kill.py --seed {arguments.seed} --only '{verdict.target}' --kill {verdict.number}"
            print(f"{verdict.verdict}: {command}\n    {' '.join(verdict.details.split())[:600]}")
    return int(any(verdict.verdict != "equal" for verdict in verdicts))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="another seed: other moments")
    parser.add_argument("--count", type=int, default=200, metavar="N", help="kills of all targets together")
    parser.add_argument("--only", nargs="+", metavar="TARGET", help="such as getData or '4_trainSvm (svm)'")
    parser.add_argument("--kill", type=int, metavar="N", help="this one kill of each target")
    parser.add_argument("--folder", help="where the folders are made (default: the system's)")
    sys.exit(main(parser.parse_args()))

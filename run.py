"""The two commands that do everything, on a fresh machine with Python 3.11 or newer:

    python3 run.py          make .venv, install the packages, run steps 0 to 6
    python3 run.py test     the same set-up, then all tests; test --fast: those that take little time
    python3 run.py check    the same set-up, then the linter, the formatter and the type checker

    python3 run.py --from 3 --to 5 --set datasetName=grocery cntk_nrRois=2000

Until the packages are installed, only the standard library is used here; then this script goes on with the Python of
.venv. Packages are installed once; after that a run needs no network.
"""

if __name__ == "__main__":  # whatever happens from here on ends in one line
    from helpers.base.start import start

    start(environment=False)

import argparse
import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PROJECT = "pyproject.toml"
CONTINUED = "RUN_PY_CONTINUES_IN"  # environment variable: where this script has started itself again
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
# GB of the packages to download and on disk, printed by dev/install_size.py under Linux, where torch brings the
# libraries of NVIDIA's GPUs; elsewhere it is less
DOWNLOAD, DISK = 3.2, 6.5
STEPS = {
    0: ("0_checkDataset.py", "check the data set"),
    1: ("1_computeRois.py", "propose regions"),
    2: ("2_computeCntkInputs.py", "write the network's inputs"),
    3: ("3_runNetwork.py", "describe regions by the network, or train it"),
    4: ("4_trainSvm.py", "train the classifier"),
    5: ("5_evaluate.py", "measure"),
    6: ("6_scoreImage.py", "score one test image from the command line"),
}


def call(command: Sequence[object], apart: bool = False, **options: Any) -> int:
    """Run a command and return its exit code. After Ctrl-C or SIGTERM it ends first, so that it can tidy up.

    apart: it is none of this project's scripts, so it gets no Ctrl-C of the terminal, which would make it print more;
    options: more of `subprocess.Popen`.
    """
    apart = apart and os.name != "nt"
    process = subprocess.Popen(list(map(str, command)), start_new_session=apart, **options)
    try:
        return process.wait()
    except KeyboardInterrupt as error:
        if apart:
            os.killpg(process.pid, signal.SIGTERM)
        elif os.name != "nt":  # where a Ctrl-C reaches all processes of a window
            process.send_signal(signal.SIGTERM if type(error).__name__ == "Terminated" else signal.SIGINT)
        code = process.wait()
        if code in (130, 143):  # it has said so itself
            sys.exit(code)
        raise


def require(command: Sequence[object]) -> None:
    """Run a command of an installation; its own message says why it fails."""
    if call(command, apart=True):
        sys.exit(f"ERROR: this command failed, see its message above: {' '.join(map(str, command))}")


def install(requirements: Sequence[str]) -> None:
    """Make .venv where there is none, install requirement files into it and make the project importable there.

    What is there already, from the same files, is not installed again.
    """
    wanted = {name: _fingerprint(name) for name in [*requirements, PROJECT]}
    stamps = {name: VENV / f"installed-{name}.sha256" for name in wanted}
    if PYTHON.exists() and all(stamp.exists() and stamp.read_text() == wanted[name] for name, stamp in stamps.items()):
        return
    if not any(stamp.exists() for stamp in stamps.values()):
        announce_cost()
    if not PYTHON.exists():
        if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
            version = ".".join(map(str, sys.version_info[:2]))
            sys.exit(
                f"ERROR: {sys.executable} lacks venv or ensurepip; install them (apt install python{version}-venv)"
            )
        print(f"making the environment {VENV} ...", flush=True)
        try:
            require([sys.executable, "-m", "venv", VENV])
        except BaseException:  # half an environment (on Debian without python3-venv: one without pip) would stay so
            PYTHON.unlink(missing_ok=True)
            raise
    print(f"installing {', '.join(requirements)} ...", flush=True)
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    require([*pip, *(argument for name in requirements for argument in ("-r", str(ROOT / name)))])
    require([*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT])
    for name, stamp in stamps.items():
        stamp.write_text(wanted[name])


def _fingerprint(name: str) -> str:
    """A hash of a file's content and of the folder's place, since a moved environment is none any more."""
    return hashlib.sha256((ROOT / name).read_bytes() + os.fsencode(ROOT)).hexdigest()


def announce_cost() -> None:
    """Say what the packages cost, and end where they do not fit on the disk."""
    linux = sys.platform == "linux"
    print(
        f"First run: {'about' if linux else 'less than'} {DOWNLOAD} GB to download, {DISK} GB of disk, "
        f"{DOWNLOAD * 8000 / 50 / 60:.0f} minutes at 50 Mbit/s, once. Then come minutes of work on the example images.",
        flush=True,
    )
    free = shutil.disk_usage(ROOT).free / 1e9
    if linux and free < DISK:
        sys.exit(f"ERROR: {ROOT}: {free:.1f} GB free, the packages need {DISK}; make room, or move this folder")


def run_step(number: int, last: int, arguments: Sequence[str]) -> float:
    """Run one script in the environment; its output goes to the screen. Returns the seconds that it took."""
    script, purpose = STEPS[number]
    print(f"\n[step {number} of {last}] {script}: {purpose}", flush=True)
    start = time.perf_counter()
    call_script(script, arguments)
    if number == 5:
        call_script("5_visualize.py", arguments)
    return time.perf_counter() - start


def call_script(script: str, arguments: Sequence[str]) -> None:
    """Run a script in the environment, and end with its exit code where it fails."""
    code = call([PYTHON, ROOT / script, *arguments])
    if code in (130, 143):  # interrupted, and it has said so
        sys.exit(code)
    if code:
        advice = "fix what it says" if code > 0 else "it was killed, perhaps because memory ran out: fix that"
        print(f"{script} stopped with exit code {code}; {advice} and run this again", file=sys.stderr)
        sys.exit(code if code > 0 else 1)


def continue_in_environment() -> None:
    """Go on with the Python of .venv, which has the packages: this script starts again there, once."""
    continued = os.environ.pop(CONTINUED, None)  # the steps start anew
    if Path(sys.prefix).resolve() == VENV.resolve() or continued == str(VENV):
        return
    os.environ[CONTINUED] = str(VENV)
    command = [str(PYTHON), *sys.argv]
    if os.name == "nt":  # where execv does not wait for the new process
        sys.exit(call(command))
    sys.stdout.flush()
    os.execv(command[0], command)


def check_needs(settings: Sequence[str]) -> None:
    """End where something is missing that steps 1 to 3 need, see pipeline/needs.py.

    That imports torch, which takes memory: so it is a process of its own.
    """
    needs = [PYTHON, "-P", "-m", "pipeline.needs", *settings]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    code = call(needs, stdout=sys.stderr, env={**os.environ, "PYTHONPATH": path})
    if code:
        sys.exit(code)


def run_steps(arguments: argparse.Namespace) -> None:
    """Run the wanted steps in order and end with the table of results and the places of the pictures."""
    from helpers.base.errors import UserError
    from helpers.dataset.sources import list_images
    from pipeline.parameters import load_parameters

    params, images = load_parameters(arguments.settings), None
    with contextlib.suppress(UserError):  # step 0 says what is wrong
        images = list_images(params, ("testImages",))
    settings = ["--set", *arguments.settings] if arguments.settings else []
    if arguments.first == 0 < arguments.last and images is not None:
        check_needs(settings)
    settings += ["--keep"] if arguments.keep else []
    seconds = {}
    for number in range(arguments.first, arguments.last + 1):
        if number == 4 and params.classifier != "svm":
            continue
        extra = [str(images[0].path)] if number == 6 and images else []
        seconds[number] = run_step(number, arguments.last, [*extra, *settings])
    report(params, seconds)


def report(params: Any, seconds: dict[int, float]) -> None:
    """Print the seconds of each step, the mAP table and the files worth opening."""
    print("\n" + "-" * 80)
    times = ", ".join(f"step {number}: {value:.0f} s" for number, value in seconds.items())
    print(f"{times}; together {sum(seconds.values()):.0f} s")
    name, results = f"{params.imageSet}_{params.classifier}", params.results_dir
    table = results / f"evaluation_{name}.tsv"
    if 5 in seconds and table.exists():
        rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        print("\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows))
        print("\nWorth opening:")
        print(f"  {results / 'visualizations' / name}    detections on each image")
        print(f"  {results / f'evaluation_{name}_precisionRecall.png'}    precision and recall of each class")
        print(f"  {results / f'evaluation_{name}_confusion.png'}    what is taken for what")
        for curves in results.glob("training_*.png") if params.classifier == "nn" else ():
            print(f"  {curves}    how the training went")


def command(text: str) -> str:
    """The first word of the command line; what looks like a parameter belongs after --set."""
    if "=" in text:
        raise argparse.ArgumentTypeError(f"parameters follow --set: python3 run.py --set {text}")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "command", nargs="?", choices=["test", "check"], type=command, help="run the tests, or look at the source"
    )
    parser.add_argument("--from", type=int, default=0, choices=STEPS, dest="first", help="first step (default 0)")
    parser.add_argument("--to", type=int, default=6, choices=STEPS, dest="last", help="last step (default 6)")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", dest="settings",
        help="parameters of PARAMETERS.py with another value for this run",
    )  # fmt: skip
    parser.add_argument("--keep", action="store_true", help="keep what --set says, in data/<dataset>/parameters.txt")
    arguments, rest = parser.parse_known_args()
    if rest and arguments.command != "test":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    if arguments.first > arguments.last:
        parser.error(f"--from {arguments.first} --to {arguments.last}: no step is between them")
    install(["requirements.txt", *(["requirements-dev.txt"] if arguments.command else [])])
    if arguments.command:
        os.chdir(ROOT)
        sys.exit(check_source() if arguments.command == "check" else run_tests(rest))
    continue_in_environment()
    run_steps(arguments)


def run_tests(arguments: Sequence[str]) -> int:
    """Run the tests, without the slow ones where --fast is among the arguments, which pytest gets; its exit code."""
    fast = ["-m", "not slow"] if "--fast" in arguments else []
    return call([PYTHON, "-m", "pytest", *fast, *(text for text in arguments if text != "--fast")])


def check_source() -> int:
    """Run the linter, the formatter and the type checker; the exit code of those that found something, or 0."""
    commands = (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"])
    return max(call([PYTHON, "-m", *command]) for command in commands)


if __name__ == "__main__":
    from helpers.base.script import run_script

    run_script(main)

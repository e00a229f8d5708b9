"""The two commands that do everything, on a fresh machine with Python 3.11 or newer:

    python3 run.py          make .venv, install the packages, run steps 0 to 6
    python3 run.py test     the same set-up, then all tests

    python3 run.py --from 3 --to 5 --set datasetName=grocery cntk_nrRois=2000

Only the standard library is used here. Packages are installed once; after that a run needs no network.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
MINIMUM = (3, 11)
STEPS = {
    0: ("0_checkDataset.py", "check the data set"),
    1: ("1_computeRois.py", "propose regions"),
    2: ("2_computeCntkInputs.py", "write the network's inputs"),
    3: ("3_runNetwork.py", "describe regions by the network, or train it"),
    4: ("4_trainSvm.py", "train the classifier"),
    5: ("5_evaluate.py", "measure"),
    6: ("6_scoreImage.py", "score one test image from the command line"),
}


def install(requirements):
    """Make .venv where there is none and install requirement files into it, unless the same ones are there already."""
    wanted = {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in requirements}
    stamps = {name: VENV / f"installed-{name}.sha256" for name in requirements}
    if PYTHON.exists() and all(stamp.exists() and stamp.read_text() == wanted[name] for name, stamp in stamps.items()):
        return
    if not PYTHON.exists():
        print(f"making the environment {VENV} ...", flush=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        except BaseException:  # half an environment (on Debian without python3-venv: one without pip) would stay so
            PYTHON.unlink(missing_ok=True)
            raise
    print(f"installing {', '.join(requirements)} (a few GB with torch, once) ...", flush=True)
    files = [argument for name in requirements for argument in ("-r", str(ROOT / name))]
    subprocess.run([str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *files], check=True)
    for name, stamp in stamps.items():
        stamp.write_text(wanted[name])


def run_step(number, arguments):
    """Run one script in the environment; its output goes to the screen. Returns the seconds that it took."""
    script, purpose = STEPS[number]
    print(f"\n[step {number}] {script}: {purpose}", flush=True)
    start = time.perf_counter()
    code = subprocess.run([str(PYTHON), str(ROOT / script), *arguments], check=False).returncode
    if code:
        advice = "mend what it says" if code > 0 else "it was killed, perhaps because memory ran out: mend that"
        print(f"[step {number}] {script} stopped with exit code {code}; {advice} and run this again", file=sys.stderr)
        sys.exit(code if code > 0 else 1)
    return time.perf_counter() - start


def read_parameters(settings):
    """The parameters in force that this script needs, asked of the environment's own Python."""
    code = (
        "import json, sys; sys.path.insert(0, sys.argv.pop(1)); from helpers.errors import UserError\n"
        "from helpers.parameters import load_parameters\n"
        "try:\n    p = load_parameters(sys.argv[1:])\n"
        "except UserError as error:\n    sys.exit(f'ERROR: {error}')\n"
        "from helpers.sources import list_images\n"
        "try:\n    images = list_images(p, ('testImages',))\n"
        "except UserError:\n    images = []  # step 0 says what is wrong\n"
        "print(json.dumps({'classifier': p.classifier, 'imageSet': p.imageSet, 'results': str(p.results_dir),"
        " 'test': str(images[0].path) if images else None}))"
    )
    # in the folder that the steps run in, since paths may be relative
    command = [str(PYTHON), "-c", code, str(ROOT), *settings]
    answer = subprocess.run(command, check=False, stdout=subprocess.PIPE)
    if answer.returncode:
        sys.exit(answer.returncode)
    return json.loads(answer.stdout)


def run_steps(arguments):
    """Run the wanted steps in order and end with the table of results and the places of the pictures."""
    params = read_parameters(arguments.settings)
    settings = ["--set", *arguments.settings] if arguments.settings else []
    settings += ["--keep"] if arguments.keep else []
    seconds = {}
    for number in range(arguments.first, arguments.last + 1):
        if number == 4 and params["classifier"] != "svm":
            continue
        extra = [params["test"]] if number == 6 and params["test"] else []
        seconds[number] = run_step(number, [*extra, *settings])
        if number == 5:
            script = ROOT / "5_visualize.py"
            start = time.perf_counter()
            subprocess.run([str(PYTHON), str(script), *settings], check=True)
            seconds[number] += time.perf_counter() - start
    report(params, seconds)


def report(params, seconds):
    """Print the seconds of each step, the mAP table and the files worth opening."""
    print("\n" + "-" * 80)
    times = ", ".join(f"step {number}: {value:.0f} s" for number, value in seconds.items())
    print(f"{times}; together {sum(seconds.values()):.0f} s")
    name, results = f"{params['imageSet']}_{params['classifier']}", Path(params["results"])
    table = results / f"evaluation_{name}.tsv"
    if 5 in seconds and table.exists():
        rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        print("\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows))
        print("\nWorth opening:")
        print(f"  {results / 'visualizations' / name}    detections on each image")
        print(f"  {results / f'evaluation_{name}_precisionRecall.png'}    precision and recall of each class")
        print(f"  {results / f'evaluation_{name}_confusion.png'}    what is taken for what")
        for curves in results.glob("training_*.png") if params["classifier"] == "nn" else ():
            print(f"  {curves}    how the training went")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=["test"], help="run the tests instead of the steps")
    parser.add_argument("--from", type=int, default=0, choices=STEPS, dest="first", help="first step (default 0)")
    parser.add_argument("--to", type=int, default=6, choices=STEPS, dest="last", help="last step (default 6)")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", dest="settings",
        help="parameters of PARAMETERS.py with another value for this run",
    )  # fmt: skip
    parser.add_argument(
        "--keep", action="store_true", help="keep them with the data set, in data/<dataset>/parameters.txt"
    )
    arguments, rest = parser.parse_known_args()
    if rest and arguments.command != "test":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    if arguments.first > arguments.last:
        parser.error(f"--from {arguments.first} --to {arguments.last}: no step is between them")
    if sys.version_info < MINIMUM:
        sys.exit(f"Python {'.'.join(map(str, MINIMUM))} or newer is needed, this is {sys.version.split()[0]}")
    install(["requirements.txt"] if arguments.command != "test" else ["requirements.txt", "requirements-dev.txt"])
    if arguments.command == "test":
        sys.exit(subprocess.run([str(PYTHON), "-m", "pytest", *rest], cwd=ROOT, check=False).returncode)
    run_steps(arguments)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted. Finished files are kept; run the same command again to continue.")
    except subprocess.CalledProcessError as error:
        sys.exit(f"this command failed, see its message above: {' '.join(map(str, error.cmd))}")

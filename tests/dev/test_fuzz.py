"""Protects dev/fuzz.py: it sees each kind of bad ending, and its oracles see faults of the project that are planted
here. And it protects the project with it: a fixed small part of its cases ends well.

The driver forks a process for each case, so it runs in an interpreter of its own, which has no threads yet.
"""

import json
import os
import re
import subprocess
import sys

import pytest
from project import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork: Linux, macOS")]
PATHS = os.pathsep.join(map(str, (ROOT, ROOT / "dev", ROOT / "tools", ROOT / "tests")))
ENVIRONMENT = {**os.environ, "PYTHONPATH": PATHS, "OMP_NUM_THREADS": "1", "LOKY_MAX_CPU_COUNT": "1"}

BAD_ENDINGS = """
import json, os, sys
from pathlib import Path
from fuzzing.trials import RIGHT, Kind, Wrong
from fuzzing.workers import Limits, run_cases


def hang(trial):
    while True:
        pass


def hog(trial):
    return [bytearray(2**40)]


def swell(trial):
    taken = b"x" * 500_000_000
    return RIGHT


def wrong(trial):
    raise Wrong("as planted")


def infect(trial):
    os.mkdir("executed")
    return RIGHT


cases = dict(zero=lambda trial: 1 / 0, wrong=wrong, hang=hang, hog=hog, swell=swell, crash=lambda trial: os.abort(),
             infect=infect, exit=lambda trial: sys.exit(3), right=lambda trial: RIGHT)
kinds = [(Kind(name, case), 0) for name, case in cases.items()]
limits = Limits(seconds=5, memory=700 * 2**20)  # a busy machine takes a second of CPU time for 500 MB
results = run_cases(kinds, Path("base"), Path(sys.argv[1]), seed=1, limits=limits)
print(json.dumps({result.kind: [result.outcome, result.details, result.cause] for result in results}))
"""


def run(code, *arguments, timeout=300):
    """What a program prints that runs in an interpreter of its own."""
    ended = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], env=ENVIRONMENT, capture_output=True, text=True,
        timeout=timeout, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


def test_every_bad_ending_is_seen(tmp_path):
    found = json.loads(run(BAD_ENDINGS, tmp_path))
    assert {name: outcome for name, (outcome, *_) in found.items()} == {
        "zero": "traceback", "wrong": "wrong result", "hang": "hang", "hog": "memory", "swell": "memory",
        "crash": "traceback", "infect": "wrong result", "exit": "traceback", "right": "right",
    }  # fmt: skip
    assert "ZeroDivisionError" in found["zero"][1] and "SIGABRT" in found["crash"][1]
    assert found["wrong"][1] == "as planted" and "ran code" in found["infect"][1]
    assert list(tmp_path.iterdir()) == [], "the folders of the cases are cleared away"


CASES = """
import dataclasses, json, sys
from pathlib import Path

import fuzz
from fuzzing.base import build_in_a_process, preload
from fuzzing.trials import Kind
from fuzzing.workers import run_cases


def planted(name, fault):
    def case(trial):
        exec(fault, {})
        return fuzz.KINDS[name].case(trial)

    return Kind(name, case)


folder, faults = Path(sys.argv[1]), json.loads(sys.argv[2])
preload()
build_in_a_process(folder)
cases = [(kind, number) for number in range(5) for kind in fuzz.KINDS.values()]
results = {"none": list(run_cases(cases, folder, folder / "cases", seed=12))}
for fault, (names, _, code) in faults.items():
    cases = [(planted(name, code), number) for name in names for number in range(5)]
    results[fault] = list(run_cases(cases, folder, folder / "cases", seed=1))
print(json.dumps({fault: [dataclasses.asdict(one) for one in found] for fault, found in results.items()}))
"""
FAULTS = {
    "changed outputs are not noticed": (["svms", "box regression"], "is not as|accepted what was changed", """
import helpers.artifacts.steps
helpers.artifacts.steps._same_outputs = lambda *arguments: None
"""),
    "an import loses boxes": (["import voc", "import coco"], "became one without|the boxes differ", """
import dataclasses
from helpers.importing import merging
original = merging.merge_records
def lose(*arguments):
    first, *others = original(*arguments)
    return [dataclasses.replace(first, boxes=[], labels=[]), *others]
merging.merge_records = lose
"""),
    "scores are no probabilities": (["model"], "a probability that is none", """
from fastRCNN.structures import RoiScores
from pipeline import stages
original = stages.class_scores
def raised(*arguments):
    scored = original(*arguments)
    return RoiScores(scored.scores + 2, scored.offsets)
stages.class_scores = raised
"""),
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Fault -> results of cases while it is in force; "none": those of a fixed small part of all cases."""
    return json.loads(run(CASES, tmp_path_factory.mktemp("fuzz"), json.dumps(FAULTS)))


@pytest.mark.parametrize("fault", FAULTS)
def test_the_oracles_see_planted_faults(results, fault):
    wrong = [result["details"] for result in results[fault] if result["outcome"] == "wrong result"]
    assert [details for details in wrong if re.search(FAULTS[fault][1], details)], results[fault]


def test_a_small_part_of_the_cases(results):
    found = results["none"]
    assert len(found) >= 150 and {result["outcome"] for result in found} >= {"clean error", "right"}
    assert [result for result in found if result["outcome"] not in ("clean error", "right")] == []

"""What dev/kill.py kills: the steps, an import, and a download from a server on the loopback address."""

import os
import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from fuzzing.base import fingerprint_of, grocery, settings, write_archive
from loopback_server import serve
from tiny import draw_data_set

from killing.processes import NEVER, run_until

STEPS = {
    "svm": ("1_computeRois", "2_computeCntkInputs", "3_runNetwork", "4_trainSvm", "5_evaluate", "5_visualize"),
    "nn": ("1_computeRois", "2_computeCntkInputs", "3_runNetwork", "5_evaluate"),
}
# real proposals, and a training of some epochs: each step has a moment at which it is not at its beginning or end
VALUES = {"roi_engine": "opencv-fast", "cntk_nrRois": 40, "nn_learningRates": "((4, 0.001), (2, 0.0001))"}


@dataclass(frozen=True)
class Target:
    """name; before, after: folders as they are before the command and after it ran undisturbed; command(folder):
    (script, *arguments); following(folder): a command that reads what it writes, or None; prepare: see `run_until`;
    calls, seconds: of the undisturbed run."""

    name: str
    before: Path
    after: Path
    command: object
    following: object
    prepare: object
    calls: int
    seconds: float


def _target(name, before, after, command, following=None, prepare=lambda: None):
    """Run a command undisturbed in a copy of `before`, which becomes `after`."""
    shutil.copytree(before, after)
    end = run_until(NEVER, command(after), after.parent / "streams", prepare)
    if end.code:
        raise RuntimeError(f"{name}: the undisturbed run failed: {end.err[-2000:]}")
    return Target(name, before, after, command, following, prepare, end.calls, end.seconds)


def _step_command(script, classifier):
    return lambda folder: (f"{script}.py", "--set", *settings(folder, classifier=classifier, **VALUES))


def step_targets(folder):
    """Steps 1 to 5, with both classifiers; of "nn" those that differ."""
    draw_data_set(folder / "start" / "data" / "tiny")
    for classifier, scripts in STEPS.items():
        before = folder / "start"
        for index, script in enumerate(scripts):
            following = _step_command(scripts[index + 1], classifier) if index + 1 < len(scripts) else None
            after = folder / f"{classifier}-{index}"
            target = _target(f"{script} ({classifier})", before, after, _step_command(script, classifier), following)
            before = after
            if classifier == "svm" or index > 1:
                yield target


def import_target(folder):
    """Photos and boxes that another tool wrote, as VOC."""
    import exportAnnotations

    from pipeline.parameters import load_parameters

    start, source = folder / "import-start", folder / "import-source"
    draw_data_set(source / "data" / "tiny")
    pid = os.fork()
    if pid == 0:
        try:
            exportAnnotations.main(load_parameters(settings(source)), "voc", "tiny", start / "exported")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)

    def command(folder):
        return (
            "tools/importAnnotations.py",
            "voc",
            folder / "exported",
            "new",
            "--set",
            f"dataRootDir={folder / 'data'}",
        )

    def following(folder):
        return "0_checkDataset.py", "--set", f"dataRootDir={folder / 'data'}", "datasetName=new"

    return _target("importAnnotations", start, folder / "import-after", command, following)


def large_grocery():
    """Stand-ins for the original photos, of a megabyte together."""
    return {name: random.Random(name).randbytes(15_000) for name in grocery()[0]}


def start_server():
    """A process that serves the archive of the photos, slowly; returns its id and the address."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        with os.fdopen(reader) as pipe:
            return pid, pipe.read()
    try:
        os.close(reader)
        content = write_archive("zip", large_grocery())
        with serve() as server:
            server.script = [lambda handler: _send_slowly(handler, content)]
            os.write(writer, server.url.encode())
            os.close(writer)
            time.sleep(3600)
    finally:
        os._exit(0)


def _send_slowly(handler, content):
    handler.head(200, {"Content-Length": len(content)})
    for start in range(0, len(content), 2**16):
        handler.wfile.write(content[start : start + 2**16])
        time.sleep(0.01)


def download_target(folder, url):
    """The original photos, from `start_server`."""
    from helpers.fetching import public_data

    digest = fingerprint_of(large_grocery())

    def prepare():
        os.environ["NO_PROXY"] = "127.0.0.1"
        public_data.GROCERY_SHA256 = digest
        public_data.GROCERY_URL = url

    def command(folder):
        return "tools/getData.py", "grocery", "--set", f"dataRootDir={folder / 'data'}"

    (folder / "download-start").mkdir()
    return _target("getData", folder / "download-start", folder / "download-after", command, None, prepare)

"""Protects the commands of README and tutorial: every block of them is run as it stands, in a copy of the project.

What is not at hand has a stand-in: tiny images for the data sets, a server on the loopback address for downloads, a
virtual screen with a hand for the windows. Every command that is not run is listed with the reason.
"""

import functools
import http.server
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from project import ROOT
from readme_stand_ins import PREPARATIONS, Hand, Project, draw_data_set
from virtual_screens import MISSING, again, virtual_screen, wait_for

pytestmark = pytest.mark.slow

NOT_RUN = {
    "python3 benchmarks/voc.py": "trains five networks; tests/benchmarks/test_voc_benchmark.py runs it on a stand-in",
}
COMMAND = re.compile(r"    ((?:python3?|source|torchrun|tensorboard|pip|git|cd|\.venv/\S+) .*|# put photos .*)")
PAGES = ("README.md", *(f"docs/{name}.md" for name in (
    "part1-svm", "part2-training", "part3-own-images", "part4-voc-and-coco", "troubleshooting",
)))  # fmt: skip
SHOWN = (  # blocks that show files or what a script printed, by how they begin
    "PARAMETERS.py  ", "ERROR: svm_C is", "ROIs frame", "data/groceryDemo/positive/1.bboxes.tsv", "limit of ROIs",
    "proc/groceryDemo/rois", "train.txt", "train.rois.txt", ">>> numpy.load", "round 1:", "class     objects",
    "score from", '{"image":', "3 training:",
)  # fmt: skip


def blocks():
    """The indented blocks of all pages: lists of lines."""
    texts = [(ROOT / page).read_text(encoding="utf-8") for page in PAGES]
    assert not any("```" in text for text in texts), "fenced blocks: teach this test to find them"
    return [block.splitlines() for text in texts for block in re.findall(r"(?m)(?:^    .*\n)+", text)]


def commands():
    """The commands of these blocks, in order, without the comments at their ends."""
    found = [COMMAND.fullmatch(line) for block in blocks() for line in block]
    return [match[1] if match[1].startswith("#") else match[1].split(" #")[0].strip() for match in found if match]


@pytest.fixture
def project(tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    handler = functools.partial(QuietHandler, directory=served)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        project = Project(tmp_path, f"http://127.0.0.1:{server.server_port}/", served)
        command = [sys.executable, ROOT / "tests" / "preloaded_python.py", project.socket]
        python = subprocess.Popen(command, env=project.environment)
        try:
            wait_for(lambda: Path(project.socket).exists() or python.poll() is not None, "the preloaded Python")
            yield project
        finally:
            python.kill()
            python.wait()
            server.shutdown()
            thread.join()


@pytest.fixture
def large_screen():
    with virtual_screen("1300x850") as screen:
        yield screen


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_):
        pass


def test_every_block_is_run_or_listed():
    unknown = [
        block[0].strip()
        for block in blocks()
        if not any(map(COMMAND.fullmatch, block)) and not block[0].strip().startswith(SHOWN)
    ]
    assert unknown == []
    for block in blocks():  # a block of commands holds nothing else
        kinds = {bool(COMMAND.fullmatch(line)) for line in block}
        assert len(kinds) == 1 or block[0].strip().startswith(SHOWN), block
    firsts = [block[0].strip() for block in blocks()]
    assert [start for start in SHOWN if not any(first.startswith(start) for first in firsts)] == []


def test_lists_and_stand_ins_are_not_stale():
    there = commands()
    assert len(there) > 15
    for known in (*NOT_RUN, *PREPARATIONS):
        assert any(command.startswith(known) for command in there), f"{known}: in no page any more"
    assert all(reason for reason in NOT_RUN.values())


@again
@pytest.mark.skipif(os.name == "nt", reason="the stand-ins for python3 and torchrun are shell scripts")
def test_every_command_runs_as_it_stands(project, request):
    hand = None if MISSING else Hand(project, request.getfixturevalue("large_screen"))
    for command in commands():
        prepare = next((function for start, function in PREPARATIONS.items() if command.startswith(start)), None)
        if prepare:
            prepare(project)
        if command.startswith("#") or command in NOT_RUN:
            continue
        if "A1_annotate" in command or "A2_annotate" in command:
            if hand:
                hand.run(command)
            elif "A2" in command:  # no window: what the hand would have drawn and named
                draw_data_set(
                    project.root / "data/apples", ("positive/1", "positive/2", "testImages/3"), ("apple", "pear")
                )
            continue
        started = time.monotonic()
        project.run(command)
        print(f"{time.monotonic() - started:5.1f} s  {command}")
    if hand:
        assert hand.next == "python3 run.py --set datasetName=apples"

"""Protects what a kill leaves behind, with dev/kill.py: some kills of its 200 run here, and the driver itself sees a
step that leaves a file, that accepts half of its input or ends otherwise than undisturbed.

scripts/test_killed_steps.py has chosen moments; here they are drawn at random.
"""

import json
import os
import subprocess
import sys

import pytest
from project import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork and SIGKILL: Linux, macOS"),
]
PROGRAM = """
import json, os, sys
from pathlib import Path

import kill
from killing.processes import Moment
from killing.targets import Target

folder = Path(sys.argv[1])
kill.preload()


def planted(name, write, following=None):
    # a target of its own: a script that writes two files by `write`
    before, after = folder / f"{name}-before", folder / f"{name}-after"
    before.mkdir(), after.mkdir()
    for number in (1, 2):
        (after / f"{number}").write_text("done")
    script = folder / f"{name}.py"
    script.write_text(write)
    return Target(name, before, after, lambda own: (script, own), following, lambda: None, 2, 0.05)


GOOD = '''
import os, sys
for number in "12":
    path = os.path.join(sys.argv[1], number)
    if not os.path.exists(path):
        with open(path + ".new", "w") as file:
            file.write("done")
        os.replace(path + ".new", path)
'''
accepts = folder / "accepts.py"
accepts.write_text("")
targets = [
    planted("good", GOOD), planted("leaves", GOOD.replace('".new"', '"." + str(os.getpid())')),
    planted("half", GOOD, lambda own: (accepts, own)),
    planted("other", GOOD.replace('file.write("done")', 'file.write(f"done {len(os.listdir(sys.argv[1]))}")')),
]
verdicts = {target.name: {kill.kill_once(target, number, 1, folder / f"{target.name}+{number}").verdict
            for number in range(12)} for target in targets}
server, url = kill.start_server()
try:
    real = kill.make_targets(folder / "targets", url)
    killed = kill.kill_all(real, 10, 5, folder / "kills")
finally:
    os.kill(server, 9)
print(json.dumps([{name: sorted(seen) for name, seen in verdicts.items()},
                  [[one.target, one.verdict, one.details] for one in killed], sum(one.kills for one in killed)]))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Verdicts on planted targets, verdicts on real ones, and how many kills those took."""
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "dev", ROOT / "tools", ROOT / "tests")))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "LOKY_MAX_CPU_COUNT": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path_factory.mktemp("kill"))], env=environment, capture_output=True,
        text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout.splitlines()[-1])


def test_the_driver_sees_what_is_wrong(found):
    verdicts, _, _ = found
    assert verdicts["good"] == ["equal"]
    assert "files left" in verdicts["leaves"]
    assert "half accepted" in verdicts["half"]
    assert "other bytes" in verdicts["other"]


def test_some_random_kills(found):
    _, verdicts, kills = found
    assert kills >= 10 and len({target for target, *_ in verdicts}) > 5
    assert [one for one in verdicts if one[1] != "equal"] == []

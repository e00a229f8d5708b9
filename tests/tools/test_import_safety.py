"""Protects a user's files and intentions at import: links are never deleted, an import that is ended leaves nothing
behind, and a class that is not there is an error instead of a data set without objects.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from photo_source import photos, pixels, run, write_csv
from PIL import Image
from project import ROOT

from helpers.base import staging
from helpers.base.errors import UserError

# --- classes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        ({"classes": ["mug"]}, '--classes: no box of a class "mug" in .*; there are: Cup, tea pot'),
        ({"classes": ["Cup", "pan"]}, 'no box of a class "pan"'),
        ({"classes": [""]}, 'no box of a class ""'),
        ({"classes": ["Cupp"]}, 'did you mean "Cup"'),
        ({"rename": ["mug=cup"]}, '--rename: no box of a class "mug" in .*; there are: Cup, tea pot'),
        ({"rename": ["Cup=mug"], "classes": ["Cup"]}, 'no box of a class "Cup" in .*; there are: mug, tea pot'),
        ({"rename": ["Cup=a", "cup=b"]}, '"Cup" has got another name before'),
        ({"rename": ["Cup=a,b"]}, "without tabs and commas"),
        ({"rename": ["Cup=__background__"]}, "write EXCLUDE"),
        ({"rename": ["Cup"]}, "OLD=NEW"),
    ],
)  # fmt: skip
def test_a_class_that_is_not_there_is_an_error_and_nothing_is_written(tmp_path, options, message):
    photos(tmp_path / "source", "a.png", "b.png")
    write_csv(tmp_path / "source", [("a.png", 1, 1, 50, 50, "Cup"), ("b.png", 1, 1, 50, 50, "tea pot")])
    with pytest.raises(UserError, match=message):
        run(tmp_path, **options)
    assert not (tmp_path / "data").exists()


def test_a_class_in_other_letters_is_taken_with_a_note(tmp_path):
    photos(tmp_path / "source", "a.png", "b.png")
    write_csv(tmp_path / "source", [("a.png", 1, 1, 50, 50, "Cup"), ("b.png", 1, 1, 50, 50, "tea pot")])
    placed, notes = run(tmp_path, classes=["cup"], rename=["TEA  pot=Cup"], testFraction=0)
    assert sorted(placed.values()) == ["positive", "positive"]
    assert '"cup" is taken for "Cup"' in notes and '"TEA  pot" is taken for "tea pot"' in notes


# --- what is there ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("make", ["folder", "file", "broken", "itself", "itself broken", "deep"])
def test_links_count_as_files_and_are_never_followed_for_deletion(tmp_path, make):
    photos(tmp_path / "source", "a.png", "b.png")
    mine, target = tmp_path / "mine", tmp_path / "data/new"
    mine.mkdir()
    (mine / "photo.jpg").write_bytes(b"mine")
    link = {"folder": target / "positive", "file": target / "x.jpg", "deep": target / "a/b/c"}.get(make, target)
    if "broken" in make:
        link = target / "positive" if make == "broken" else target
    link.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "empty").mkdir()
    aims = {"folder": mine, "file": mine / "photo.jpg", "deep": tmp_path / "empty", "itself": tmp_path / "empty"}
    aim = aims.get(make, tmp_path / "none")
    link.symlink_to(aim)
    with pytest.raises(UserError, match="holds files already; name another data set, or add --add or --force"):
        run(tmp_path)
    assert link.is_symlink() and Path(os.readlink(link)) == aim and (mine / "photo.jpg").read_bytes() == b"mine"
    assert (tmp_path / "empty").is_dir()
    run(tmp_path, force=True, testFraction=0)
    assert not target.is_symlink() and (target / "positive/a.png").exists() and not (target / "positive").is_symlink()
    assert os.path.lexists(Path(str(link).replace("data/new", "data/new.old"))) and (mine / "photo.jpg").exists()


def test_empty_folders_are_no_data_set(tmp_path):
    photos(tmp_path / "source", "a.png", "b.png")
    (tmp_path / "data/new/positive/deep").mkdir(parents=True)
    run(tmp_path, testFraction=0)
    assert (tmp_path / "data/new/positive/a.png").exists() and not (tmp_path / "data/new/positive/deep").exists()


def test_adding_goes_over_no_file(tmp_path):
    photos(tmp_path / "source", "a.png", "b.png")
    (tmp_path / "data/new/positive").mkdir(parents=True)
    (tmp_path / "data/new/positive/a.bboxes.tsv").write_text("mine")  # its photo is elsewhere
    placed, _ = run(tmp_path, add=True, testFraction=0)
    assert (tmp_path / "data/new/positive/a.bboxes.tsv").read_text() == "mine" and sorted(placed) == [
        "a_2.png",
        "b.png",
    ]


def test_a_break_while_adding_leaves_the_data_set_as_it_was(tmp_path, monkeypatch):
    photos(tmp_path / "source", "a.png", "b.png")
    run(tmp_path, testFraction=0)
    before = sorted(path.relative_to(tmp_path) for path in (tmp_path / "data").rglob("*"))
    photos(tmp_path / "source", "c.png", "d.png")
    for seed, name in ((7, "c.png"), (8, "d.png")):
        Image.fromarray(pixels(seed)).save(tmp_path / "source" / name)
    real, calls = os.rename, []

    def interrupted(old, new):
        calls.append(new)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(old, new)

    monkeypatch.setattr("helpers.importing.placing.os.rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, add=True, testFraction=0)
    monkeypatch.undo()
    assert sorted(path.relative_to(tmp_path) for path in (tmp_path / "data").rglob("*")) == before


# --- what is left behind ---------------------------------------------------------------------------------------------


def test_folders_of_killed_imports_are_removed_unless_a_process_holds_them(tmp_path):
    photos(tmp_path / "source", "a.png", "b.png")
    data = tmp_path / "data"
    left, held, old, others = (
        data / name for name in (".new.abcd1234", ".new.ijkl_678", ".new.mnop1234", ".newer.abcd1234")
    )
    for folder in (left, held, old, others):
        (folder / "new/positive").mkdir(parents=True)
        (folder / "new/positive/a.png").write_bytes(b"x")
    for folder in (left, held):
        (folder / staging.LOCK).touch()
    os.utime(old, (0, 0))  # of a version that did not lock them
    with FileLock(held / staging.LOCK):
        run(tmp_path, testFraction=0)
    assert sorted(path.name for path in data.iterdir()) == [".new.ijkl_678", ".newer.abcd1234", "new"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_import_that_is_ended_leaves_nothing_for_the_next(tmp_path, number):
    names = [f"{number}.png" for number in range(30)]
    photos(tmp_path / "source", *names)
    slow = (
        "import sys, time\nsys.path.insert(0, 'tools')\nimport importAnnotations\n"
        "from helpers.importing import placing\nfrom pipeline.parameters import load_parameters\n"
        "from helpers.base.script import run_script\n"
        "real = placing.put_image\n"
        "def put(*arguments):\n    real(*arguments)\n    print('one', flush=True)\n    time.sleep(0.5)\n"
        "placing.put_image = put\n"
        "run_script(lambda: importAnnotations.main(load_parameters([sys.argv[1]]), 'csv', sys.argv[2], 'new'))\n"
    )
    setting = f"dataRootDir={tmp_path / 'data'}"
    process = subprocess.Popen(
        [sys.executable, "-c", slow, setting, tmp_path / "source"], cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while "one" not in process.stdout.readline():
        assert process.poll() is None, process.stderr.read()
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert process.returncode == 130 and list((tmp_path / "data").iterdir()) == []
        assert "Traceback" not in errors
    else:
        assert [path.name for path in (tmp_path / "data").iterdir() if path.name.startswith(".new.")]
    placed, _ = run(tmp_path)
    assert len(placed) == 30 and [path.name for path in (tmp_path / "data").iterdir()] == ["new"]

"""Protects results against intermediate files that were edited, cut, exchanged or deleted after the step that wrote
them: the next step that reads such a file stops and names it, and running its step again repairs it.

Exchanged feature files once took an mAP from 1.0 to 0.17 without a word.
"""

import importlib
import json
import os
import re
import shutil

import numpy as np
import pytest
from tiny import nn_params, run_steps, tiny_params

from helpers.artifacts.feature_files import feature_path, read_features
from helpers.artifacts.model_files import model_path
from helpers.artifacts.records import Journal
from helpers.base.errors import UserError
from helpers.base.files import read_arrays, write_arrays
from helpers.base.fingerprints import arrays_are_whole, arrays_fingerprint

FILES = [  # path below proc/tiny, the step that reads it, the step that writes it
    ("rois/positive/1.roi.txt", 2, 1), ("rois/testImages/2.roi.txt", 2, 1),
    ("cntkFiles/train.txt", 3, 2), ("cntkFiles/test.rois.txt", 3, 2), ("cntkFiles/train.roilabels.txt", 4, 2),
    ("cntkFiles/test.nrRois.txt", 5, 2),
    ("cntkFiles/train_svm_parsed/1.dat.npz", 4, 3), ("cntkFiles/test_svm_parsed/0.dat.npz", 5, 3),
    ("trainedSVMs/svmweights_exp1.txt", 5, 4), ("trainedSVMs/svmbias_exp1.txt", 5, 4),
    ("trainedSVMs/svmfeature_scale_exp1.txt", 5, 4), ("trainedSVMs/boxregression_exp1.npz", 5, 4),
    ("detections/test_svm.tsv", 6, 5),
]  # fmt: skip


def run(params, number):
    """A step by its number; 6 stands for 5_visualize.py, which reads what step 5 wrote."""
    return importlib.import_module("5_visualize").main(params) if number == 6 else run_steps(params, number)


def edit(path):
    """One digit or one byte of the middle becomes another one; the file's time stays as it was."""
    status, data = path.stat(), bytearray(path.read_bytes())
    place = len(data) // 2
    if path.suffix != ".npz":
        place = next(i for i in range(place, -1, -1) if chr(data[i]).isdigit())
    data[place] = data[place] ^ 1  # of digits: 0 and 1, 2 and 3, ... take each other's place
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def delete(path):
    path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("change", [edit, cut, delete])
@pytest.mark.parametrize(("name", "reader", "writer"), FILES)
def test_the_next_step_names_the_file_and_its_own_step_repairs_it(finished, name, reader, writer, change):
    params, path = tiny_params(finished), finished / "proc/tiny" / name
    whole = path.read_bytes()
    change(path)
    with pytest.raises(UserError, match=rf"^{re.escape(str(path))}: .*run {writer}_\w+\.py again") as error:
        run(params, reader)
    assert "\n" not in str(error.value)
    run(params, writer)
    assert path.read_bytes() == whole
    run(params, reader)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["train_svm_parsed", "test_svm_parsed"])
def test_exchanged_feature_files_are_noticed_and_made_again(finished, folder):
    params, folder = tiny_params(finished), finished / "proc/tiny/cntkFiles" / folder
    one, other, aside = folder / "0.dat.npz", folder / "1.dat.npz", folder / "aside"
    before = one.read_bytes(), other.read_bytes()
    for source, target in ((one, aside), (other, one), (aside, other)):
        os.rename(source, target)  # which leaves their times as they were
    with pytest.raises(UserError, match=r"0.dat.npz: has changed since 3_runNetwork.py wrote it"):
        run_steps(params, 5 if folder.name.startswith("test") else 4)
    assert run_steps(params, 3) == 2, "these two and no others"
    assert (one.read_bytes(), other.read_bytes()) == before
    run_steps(params, 4)


@pytest.mark.slow
def test_exchanged_predictions_and_an_edited_model_are_noticed(trained, tmp_path):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    params = nn_params(tmp_path)
    path, whole = model_path(params), model_path(params).read_bytes()
    edit(path)
    with pytest.raises(UserError, match=r"exp1.safetensors: has changed since 3_runNetwork.py \(training\) wrote it"):
        importlib.import_module("6_scoreImage").main(params, [str(params.image_dir / "testImages")], out=tmp_path)
    run_steps(params, 3)
    assert path.read_bytes() == whole, "trained again"
    one, other = (feature_path(params.cntk_files_dir, "test", "nn", index) for index in (0, 1))
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)
    with pytest.raises(UserError, match=r"0.dat.npz: has changed since 3_runNetwork.py wrote it"):
        run_steps(params, 5)
    run_steps(params, 3, 5)


def test_of_a_killed_run_only_files_that_are_whole_and_in_their_place_stay(finished):
    params = tiny_params(finished)
    record = params.cntk_files_dir / "record_svm_parsed.json"
    paths = [feature_path(params.cntk_files_dir, "train", "svm", index) for index in range(5)]
    before = [path.read_bytes() for path in paths]
    record.write_text(record.read_text().replace('"complete": true', '"complete": false'))
    edit(paths[0])
    paths[1].write_bytes(before[2])
    journal = Journal(record)
    paths[4].unlink()
    with open(journal.path, "w") as file:
        file.write('["train_svm_parsed/3.dat.npz", "0123456789abcdef"]\n["train_svm_parsed/2.dat')
    assert run_steps(params, 3) == 4, "0 was edited, 1 exchanged, 3 is another one by its note, 4 is missing"
    assert [path.read_bytes() for path in paths] == before
    assert not journal.path.exists()


def test_a_rerun_without_changes_touches_no_record(finished):
    params = tiny_params(finished)
    records = {path: path.stat().st_mtime_ns for path in (finished / "proc").rglob("record*.json")}
    run_steps(params, 1, 2, 3)
    after = {path: path.stat().st_mtime_ns for path in records}
    assert {path.name for path in records if records[path] != after[path]} == set()


@pytest.mark.slow
def test_an_experiment_leaves_another_with_a_longer_name_alone(finished):
    params = tiny_params(finished, experimentName="b_a")
    run_steps(params, 4)
    run_steps(params.replace(experimentName="a"), 4)
    run_steps(params, 5)


def test_features_that_rest_are_not_read_again(finished, monkeypatch):
    # at VOC's size a rerun of step 3 would read hundreds of GB to find that nothing is to be done
    params = tiny_params(finished)
    run_steps(params, 3)  # files copied by this test's fixture are as young as their record
    record = params.cntk_files_dir / "record_svm_parsed.json"
    record.write_text(record.read_text())
    monkeypatch.setattr("helpers.artifacts.records.arrays_are_whole", lambda path: pytest.fail(f"{path} was read"))
    assert run_steps(params, 3) == 0


def test_fingerprints_of_arrays(tmp_path):
    a, b, c = (tmp_path / f"{name}.npz" for name in "abc")
    write_arrays(a, arr_0=np.arange(1000), more=np.zeros(3))
    write_arrays(b, arr_0=np.arange(1000), more=np.zeros(3))
    write_arrays(c, arr_0=np.arange(1000)[::-1], more=np.zeros(3))
    assert arrays_fingerprint(a) == arrays_fingerprint(b)
    assert len({arrays_fingerprint(path) for path in (a, c, tmp_path / "missing", tmp_path)}) == 4
    assert arrays_are_whole(a)
    data = a.read_bytes()
    for place in (200, 5000):  # in the array, which is read in one piece or chunk by chunk
        a.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert arrays_fingerprint(a) == arrays_fingerprint(b) and not arrays_are_whole(a)
        with pytest.raises(UserError, match="a.npz: not a readable npz file .*CRC"):
            read_arrays(a)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_named(finished, value):
    params = tiny_params(finished)
    path = feature_path(params.cntk_files_dir, "train", "svm", 0)
    arrays = read_arrays(path)
    arrays["mirrored"][3, 5] = value
    write_arrays(path, **arrays)
    with pytest.raises(UserError, match="0.dat.npz: mirrored holds values that are not finite; delete it"):
        read_features(path, len(arrays["arr_0"]), "mirrored")
    record = params.cntk_files_dir / "record_svm_parsed.json"
    content = json.loads(record.read_text())
    content["outputs"]["train_svm_parsed/0.dat.npz"] = arrays_fingerprint(path)
    record.write_text(json.dumps(content))  # as if the network had given them
    with pytest.raises(UserError, match="0.dat.npz: mirrored holds values that are not finite; delete it"):
        run_steps(params, 4)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("rois/positive/1.roi.txt", 2), ("cntkFiles/record.json", 2), ("cntkFiles/train.nrRois.txt", 2),
        ("cntkFiles/record_svm_parsed.json", 4), ("cntkFiles/train_svm_parsed/0.dat.npz", 4),
    ],
)  # fmt: skip
def test_a_named_pipe_in_place_of_a_file_does_not_hang(finished, name, reader):
    path = finished / "proc" / "tiny" / name
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UserError, match=f"{path.name}: cannot be read, it is no file; delete it"):
        run_steps(tiny_params(finished), reader)


@pytest.mark.parametrize("name", ["a\0b", "", ".", "/etc/passwd", "../record.json", "\ud800"])
def test_a_record_lists_files_below_its_folder_alone(finished, name):
    params = tiny_params(finished)
    path = params.cntk_files_dir / "record.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "outputs": {**record["outputs"], name: "0" * 16}}))
    wanted = f"record.json: damaged, or of another version (outputs: {json.dumps(name)} is no file of the step); delete"
    for number in (2, 3):
        with pytest.raises(UserError, match=re.escape(wanted)):
            run_steps(params, number)
    path.unlink()
    run_steps(params, 2, 3)

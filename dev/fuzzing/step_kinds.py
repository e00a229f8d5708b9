"""Files of the data set's folders and of the steps: a changed one must be refused with what to do, or change nothing.

After an error the advice is followed, some times: the steps are run again, and what they write must be what an
undisturbed run wrote.
"""

import re
import shutil

import numpy as np

from fuzzing.arrays import mutate_npz, mutate_safetensors
from fuzzing.base import NN_STEPS, SVM_STEPS, settings
from fuzzing.mutation import mutate_bytes, mutate_text
from fuzzing.structures import mutate_json
from fuzzing.trials import CLEAN, RIGHT, Kind, Wrong

NOT_COMPARED = re.compile(r"(^|/)\.|training|_log|stdout|stderr")


def contents(folder):
    """Path below a folder -> bytes, of what the steps wrote there."""
    paths = [path for part in ("proc", "results") for path in sorted((folder / part).rglob("*"))]
    names = {path.relative_to(folder).as_posix(): path for path in paths if path.is_file()}
    return {name: path.read_bytes() for name, path in names.items() if not NOT_COMPARED.search(name)}


def change(path, others, trial, mutators):
    """Change a file: its content, or what stands at its place."""
    random, what = trial.random, trial.random.random()
    if what < 0.06 and len(others) > 1:
        other = random.choice([file for file in others if file != path])
        data = path.read_bytes()
        path.write_bytes(other.read_bytes())
        other.write_bytes(data)
        trial.done.append(f"{path.relative_to(trial.folder)} and {other.relative_to(trial.folder)} exchanged")
    elif what < 0.10:
        path.unlink()
        trial.done.append(f"{path.name} removed")
    elif what < 0.13:
        path.unlink()
        path.mkdir()
        trial.done.append(f"{path.name} replaced by a folder")
    elif what < 0.15:
        path.unlink()
        path.symlink_to(path.name)
        trial.done.append(f"{path.name} replaced by a link to itself")
    else:
        mutation = random.choice(mutators)(path.read_bytes(), random)
        path.write_bytes(mutation.data)
        trial.done.append(f"{path.relative_to(trial.folder)}: {mutation.text}")


def step_kind(name, base, patterns, readers, mutators):
    """A kind of file between the steps. base: the finished folder; patterns: globs of the files; readers: scripts that
    read them, with what of their own output to remove first, so that they do."""

    def case(trial):
        folder = trial.copy(base)
        arguments = settings(folder, classifier="nn" if base == "nn" else "svm")
        paths = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
        script, removed = trial.random.choice(readers)
        change(trial.random.choice(paths), paths, trial, mutators)
        for path in [path for pattern in removed for path in folder.glob(pattern)]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        ended = trial.run(script, "--set", *arguments)
        if ended.code:
            if not re.search(r"run |delete|again|write|give|name |move", ended.err):
                raise Wrong(f"an error without advice: {ended.err[-400:]}")
            if trial.random.random() < 0.3:
                follow_advice(trial, folder, arguments, NN_STEPS if base == "nn" else SVM_STEPS, ended.err)
            return CLEAN
        _require_same(trial, folder, base, f"{script} accepted what was changed")
        return RIGHT

    return Kind(name, case)


def _require_same(trial, folder, base, message):
    """Raise `Wrong` where something that the steps wrote differs from what they wrote undisturbed."""
    wanted, found = contents(trial.base / base), contents(folder)
    touched = " ".join(trial.done)
    differing = [name for name in found if name in wanted and found[name] != wanted[name] and name not in touched]
    if differing:
        raise Wrong(f"{message}: {differing[0]} differs from the undisturbed run's")


def follow_advice(trial, folder, arguments, steps, err):
    """Run all steps again; what an error says to delete is deleted, once for each file."""
    base = "nn" if steps is NN_STEPS else "svm"
    for _ in range(4):
        for script in steps:
            ended = trial.run(f"{script}.py", "--set", *arguments)
            if ended.code:
                break
        else:
            wanted, found = contents(trial.base / base), contents(folder)
            missing = wanted.keys() - found.keys()
            differing = [name for name in wanted if name in found and found[name] != wanted[name]]
            if missing or differing:
                raise Wrong(f"after all steps ran again: {sorted([*missing, *differing])[0]} is not as undisturbed")
            return
        path = re.search(r"ERROR: (/\S+?)[,:]", ended.err)
        if not path or not re.search(r"delete|remove|move|fix that", ended.err):
            raise Wrong(f"after the advice was followed, for ever: {ended.err[-400:]}")
        there = folder / path[1]
        if there.is_dir() and not there.is_symlink():
            shutil.rmtree(there)
        else:
            there.unlink(missing_ok=True)
    raise Wrong(f"after four times the advice: {ended.err[-400:]}")


CNTK, FEATURES_3 = "proc/tiny/cntkFiles/", ("proc/tiny/cntkFiles/*_parsed", "proc/tiny/cntkFiles/record_*parsed.json")
STEP_KINDS = [
    step_kind("rois", "svm", ["proc/tiny/rois/*/*.roi.txt"],
              [("2_computeCntkInputs.py", ()), ("B1_evaluateRois.py", ())], (mutate_text, mutate_text, mutate_bytes)),
    step_kind("inputs", "svm", [CNTK + "t*.txt"],
              [("3_runNetwork.py", FEATURES_3), ("4_trainSvm.py", ()), ("5_evaluate.py", ()),
               ("B2_visualizeInputs.py", ()), ("B3_analyzeInputs.py", ())], (mutate_text, mutate_text, mutate_bytes)),
    step_kind("features", "svm", [CNTK + "train*_parsed/*.npz"], [("4_trainSvm.py", ())],
              (mutate_npz, mutate_npz, mutate_bytes)),
    step_kind("test features", "svm", [CNTK + "test*_parsed/*.npz"], [("5_evaluate.py", ())],
              (mutate_npz, mutate_npz, mutate_bytes)),
    step_kind("predictions", "nn", [CNTK + "test*_parsed/*.npz"], [("5_evaluate.py", ())],
              (mutate_npz, mutate_npz, mutate_bytes)),
    step_kind("svms", "svm", ["proc/tiny/trainedSVMs/*.txt"], [("5_evaluate.py", ())],
              (mutate_text, mutate_text, mutate_bytes)),
    step_kind("box regression", "svm", ["proc/tiny/trainedSVMs/*.npz"], [("5_evaluate.py", ())],
              (mutate_npz, mutate_npz, mutate_bytes)),
    step_kind("trained model", "nn", ["proc/tiny/models/*.safetensors"], [("3_runNetwork.py", FEATURES_3)],
              (mutate_safetensors, mutate_safetensors, mutate_bytes)),
    step_kind("detections", "svm", ["proc/tiny/detections/*.tsv"], [("5_visualize.py", ())],
              (mutate_text, mutate_text, mutate_bytes)),
    step_kind("records", "svm", ["proc/tiny/**/*record*.json"],
              [(f"{script}.py", ()) for script in SVM_STEPS], (mutate_json, mutate_json, mutate_json, mutate_bytes)),
    step_kind("records of nn", "nn", ["proc/tiny/**/*record*.json"],
              [(f"{script}.py", ()) for script in NN_STEPS], (mutate_json, mutate_json, mutate_json, mutate_bytes)),
]  # fmt: skip


def _folder_annotations(trial):
    """The .tsv files beside the images: step 0 names what is wrong, and what it does not name, step 2 reads as it is
    written."""
    folder = trial.copy("svm")
    paths = sorted((folder / "data/tiny").glob("*/*.tsv"))
    path = trial.random.choice(paths)
    change(path, paths, trial, (mutate_text, mutate_text, mutate_text, mutate_bytes))
    arguments = "--set", *settings(folder)
    checked = trial.run("0_checkDataset.py", *arguments)
    ended = trial.run("2_computeCntkInputs.py", *arguments)
    if ended.code and not checked.code:
        raise Wrong(f"step 0 accepted what step 2 refuses: {ended.err[-400:]}")
    if ended.code == 0:
        _require_boxes_as_written(folder)
    if checked.code == 0:
        for script in ("3_runNetwork.py", "4_trainSvm.py", "5_evaluate.py"):
            if trial.run(script, *arguments).code:
                raise Wrong(f"step 0 accepted what {script} refuses")
    return CLEAN if checked.code else RIGHT


def _require_boxes_as_written(folder):
    """Compare the ground truth in step 2's files with what the .tsv files say, read here by three lines of our own."""
    cntk = folder / "proc/tiny/cntkFiles"
    keys = [line.split("\t")[1] for line in (cntk / "train.txt").read_text().splitlines()]
    rois = (cntk / "train.rois.txt").read_text().splitlines()
    counts = (cntk / "train.nrRois.txt").read_text().splitlines()
    for key, row, count in zip(keys, rois, counts, strict=True):
        relative = np.array(row.split("|rois")[1].split(), float).reshape(-1, 4)[: int(count.split("\t")[2])]
        x, y, w, h = (relative * 160).T  # of the square; images of 160 x 120 lie in its middle
        found = sorted(np.stack([x, y - 20, x + w, y - 20 + h], axis=1).round(2).tolist())
        path = folder / "data/tiny" / key
        boxes, labels = (path.with_name(f"{path.stem}.bboxes{part}.tsv") for part in ("", ".labels"))
        if boxes.exists():
            rows = re.split("\r\n|\n|\r", boxes.read_text("utf-8-sig").strip())
            names = re.split("\r\n|\n|\r", labels.read_text("utf-8-sig").strip())
            kept = [row.split() for row, name in zip(rows, names, strict=True) if name.strip() in ("circle", "square")]
            clipped = np.clip(np.array(kept, float).reshape(-1, 4), 0, [160, 120] * 2)
            if not np.allclose(found, sorted(clipped.tolist()), atol=0.02):
                raise Wrong(f"{key}: step 2 has the boxes {found}, the file says {sorted(clipped.tolist())}")


STEP_KINDS.append(Kind("annotations", _folder_annotations))

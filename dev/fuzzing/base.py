"""The finished folders that the cases of a fuzzing run copy and change: the tests' tiny data set, what the steps made
of it, its exports to other formats, a model, weights and archives. Everything is made here, in a minute at most.
"""

import contextlib
import hashlib
import importlib
import io
import json
import os
import sys
import tarfile
import traceback
import zipfile

import numpy as np
from tiny import draw_data_set

from fuzzing.trials import ROOT

TINY = {  # the grid alone, 20 ROIs per image: the whole pipeline takes a second
    "datasetName": "tiny", "classes": "circle,square", "network": "squeezenet1_1", "networkWeights": "random",
    "network_device": "cpu", "cntk_nrRois": 20, "cntk_padWidth": 160, "cntk_padHeight": 160, "roi_engine": "grid",
    "roi_maxImgDim": 160, "roi_minDimRel": 0.1, "roi_maxDimRel": 0.5, "nn_learningRates": "((2, 0.001),)",
}  # fmt: skip
SVM_STEPS = ("1_computeRois", "2_computeCntkInputs", "3_runNetwork", "4_trainSvm", "5_evaluate", "5_visualize",
             "B1_evaluateRois", "B2_visualizeInputs", "B3_analyzeInputs")  # fmt: skip
NN_STEPS = ("1_computeRois", "2_computeCntkInputs", "3_runNetwork", "5_evaluate", "5_visualize")
TEST_FRACTION = 0.3
EXPORTED = ("voc", "coco", "yolo", "csv", "labelme", "labelstudio", "cvat", "vottcsv")


def settings(folder, **more):
    """The texts after --set for the tiny data set in a folder."""
    roots = {f"{name}RootDir": folder / name for name in ("data", "proc", "results")}
    return [f"{name}={value}" for name, value in {**TINY, **roots, **more}.items()]


def preload():
    """Import every script, so that no case has to."""
    for path in sorted(ROOT.glob("*.py")):
        if path.stem != "run":
            importlib.import_module(path.stem)
    for name in ("onnx", "onnxruntime", "scipy.io"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def build(base, names=None):
    """Make the finished folders below `base`; names: only these of `PARTS`."""
    for name, make in PARTS.items():
        if names is None or name in names:
            make(base)


def _parameters(folder, **more):
    return importlib.import_module("pipeline.parameters").load_parameters(settings(folder, **more))


def _steps(folder, names, **more):
    draw_data_set(folder / "data" / "tiny")
    params = _parameters(folder, **more)
    for name in names:
        importlib.import_module(name).main(params)


def _exports(base):
    """Every format that exportAnnotations writes, and the two of VoTT that it does not."""
    source = base / "exports" / "source"
    draw_data_set(source / "data" / "tiny")
    export = importlib.import_module("exportAnnotations").main
    params = _parameters(source)
    for name in EXPORTED:
        images = export(params, name, "tiny", base / "exports" / name)
    draw_data_set(base / "exports" / "vott1")
    vott = base / "exports" / "vott"
    draw_data_set(vott / "images")
    for path in vott.rglob("*.tsv"):
        path.unlink()
    assets = {str(number): _vott_asset(image) for number, image in enumerate(images)}
    (vott / "export.json").write_text(json.dumps({"name": "tiny", "tags": [], "assets": assets}, indent=1))
    run_import = importlib.import_module("importAnnotations").main
    params = _parameters(source, dataRootDir=base / "imported")
    for name in (*EXPORTED, "vott", "vott1"):
        run_import(params, name, base / "exports" / name, f"as-{name}", testFraction=TEST_FRACTION)


def _vott_asset(image):
    regions = [
        {"tags": [label], "boundingBox": {"left": x1, "top": y1, "width": x2 - x1, "height": y2 - y1}}
        for (x1, y1, x2, y2), label, _ in image.objects
    ]
    size = dict(zip(("width", "height"), image.size, strict=True))
    return {"asset": {"name": image.key, "state": 2, "size": size}, "regions": regions}


def _models(base):
    """A trained model, the same as ONNX, and a photo."""
    folder = base / "models"
    _steps(folder, NN_STEPS[:3], classifier="nn")
    made = folder / "proc" / "tiny" / "models" / "exp1.safetensors"
    made.rename(folder / "model.safetensors")
    importlib.import_module("7_exportModel").main(_parameters(folder), folder / "model.safetensors")
    (folder / "data" / "tiny" / "testImages" / "1.jpg").rename(folder / "photo.jpg")


def _weights(base):
    """A small network's weights in both kinds of files."""
    import torch
    from safetensors.torch import save_file
    from torchvision import models

    folder = base / "weights"
    folder.mkdir()
    state = models.squeezenet1_1().state_dict()
    save_file(state, folder / "weights.safetensors")
    torch.save(state, folder / "weights.pth")


def grocery():
    """Stand-ins for the files of the original tutorial: name -> content; and the fingerprint of all."""
    names = importlib.import_module("helpers.fetching.public_data").GROCERY_FILES
    files = {name: f"content of {name}\n".encode() for name in names}
    return files, fingerprint_of(files)


def fingerprint_of(files):
    """What helpers/fetching/public_data.py compares with, of files {name: content}; line ends of .tsv files do not
    count."""
    rows = []
    for name, content in files.items():
        content = content.replace(b"\r\n", b"\n") if name.endswith(".tsv") else content
        rows.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    return hashlib.sha256("".join(rows).encode()).hexdigest()


def write_archive(kind, files, prefix="x/grocery/"):
    """The bytes of a zip or tar archive."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(prefix + name, content)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode="w:" + kind.partition(".")[2]) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _archives(base):
    folder = base / "archives"
    folder.mkdir()
    for kind in ("zip", "tar", "tar.gz", "tar.bz2"):
        (folder / f"grocery.{kind}").write_bytes(write_archive(kind, grocery()[0]))


def _matlab(base):
    """Published ROIs as in the release, compressed and not."""
    from scipy.io import savemat

    folder = base / "matlab"
    folder.mkdir()
    random = np.random.default_rng(0)
    boxes, images = np.empty((1, 4), object), np.empty((4, 1), object)
    for index in range(4):
        corner = random.integers(1, 300, (5 * index + 1, 2))
        boxes[0, index] = np.hstack([corner, corner + random.integers(0, 99, corner.shape)]).astype(float)
        images[index, 0] = np.array(f"00000{index}")
    for name, compressed in (("plain", False), ("compressed", True)):
        savemat(folder / f"{name}.mat", {"boxes": boxes, "images": images}, do_compression=compressed)


PARTS = {
    "svm": lambda base: _steps(base / "svm", SVM_STEPS),
    "nn": lambda base: _steps(base / "nn", NN_STEPS, classifier="nn"),
    "exports": _exports, "models": _models, "weights": _weights, "archives": _archives, "matlab": _matlab,
}  # fmt: skip


def build_in_a_process(base, names=None):
    """`build` in a process of its own: this one, which all cases are copies of, stays as it was when it had loaded
    everything. Raises RuntimeError where that fails."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            log = os.open(base / "build.txt", os.O_WRONLY | os.O_CREAT)
            os.dup2(log, 1), os.dup2(log, 2)
            build(base, names)
            code = 0
        except BaseException:  # which is told to the process that waits for this one
            traceback.print_exc()
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError(f"the folders to change could not be made: {(base / 'build.txt').read_text()[-3000:]}")

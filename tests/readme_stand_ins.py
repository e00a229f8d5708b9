"""Stand-ins for what the README's commands need: a copy of the project, tiny data sets, a hand for the windows."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from mat_files import write_mat
from PIL import Image
from project import ROOT
from set_up import count_as_set_up
from tiny import draw_image, tar_of
from virtual_screens import wait_for

from helpers.annotating.boxes import MARGIN, STATUS_HEIGHT
from helpers.annotating.geometry import fit_image
from helpers.annotating.window import WINDOW
from helpers.dataset.annotations import write_annotation
from helpers.formats import voc as voc_format
from helpers.formats.exported import ExportedImage

SHAPES = ("circle", "square", "triangle")
QUICK = """
roi_engine, grid_nrScales, cntk_nrRois, cntk_padWidth, cntk_padHeight = "grid", 2, 40, 96, 96
networkWeights, nn_learningRates, svm_nrEpochs = "auto", ((1, 0.001),), 2
_quick = dict(roi_engine="grid", grid_nrScales=2, cntk_nrRois=40, networkWeights="auto", roi_maxDimRel=0.5)
for _block in datasets.values():
    _block.update(_quick, roi_maxNrPixelsRel=1.0)
"""


# --- stand-ins --------------------------------------------------------------------------------------------------------


def drawn(seed):
    """An image and its boxes, of a circle, a square and a triangle, which is nothing to be found."""
    image, boxes = draw_image(SHAPES, seed)
    return Image.fromarray(image), boxes[:2]


def draw_data_set(folder, names, labels):
    """Images and boxes below `folder`; names: "positive/1" and so on."""
    for seed, name in enumerate(names):
        path = (folder / name).with_suffix(".jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        image, boxes = drawn(seed)
        image.save(path)
        if labels and not name.startswith("negative"):
            write_annotation(path, boxes, labels)


def voc_files(labels, lists):
    """Paths and contents of a VOC folder; lists: name of a list -> numbers of its images."""
    files = {}
    for name, numbers in lists.items():
        stems = [f"{number:06}" for number in numbers]
        files[f"ImageSets/Main/{name}.txt"] = "".join(f"{stem}\n" for stem in stems).encode()
        for number, stem in zip(numbers, stems, strict=True):
            image, boxes = drawn(number)
            stream = io.BytesIO()
            image.save(stream, "JPEG")
            files[f"JPEGImages/{stem}.jpg"] = stream.getvalue()
            things = [(tuple(box), label, False) for box, label in zip(boxes.tolist(), labels, strict=True)]
            exported = ExportedImage(f"{stem}.jpg", image.size, things)
            texts = voc_format.write([exported])
            files[f"Annotations/{stem}.xml"] = next(
                text for name, text in texts.items() if name.endswith(".xml")
            ).encode()
    return files


def put(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class Project:
    """A copy of the project, with an environment that is there already, and what a reader would have beside it."""

    def __init__(self, folder, url, served):
        self.root, self.url, self.served = folder / "project", url, served
        names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout.decode()
        wanted = [name for name in names.split("\0") if name and not name.startswith(("data/", "tests/"))]
        for name in wanted or [path.name for path in ROOT.glob("*.*")] + [
            "helpers",
            "fastRCNN",
            "pipeline",
            "tools",
            "resources",
        ]:
            if (ROOT / name).exists():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
                copy(ROOT / name, self.root / name)
        with open(self.root / "PARAMETERS.py", "a") as file:
            file.write(QUICK)
        put(self.root, {"tests/test_one.py": b"def test_one():\n    assert 1 + 1 == 2\n"})
        names = ("positive/1", "positive/2", "positive/3", "negative/4", "testImages/21", "testImages/22")
        draw_data_set(self.root / "data/groceryDemo", names, ("orange", "eggBox"))
        self.socket = str(folder / "python")
        self._make_environment()

    def _make_environment(self):
        """.venv of run.py, and the commands python3 and torchrun: all of them this very Python, already warm."""
        ask = f'"{sys.executable}" -IS "{Path(__file__).with_name("preloaded_python.py")}" "{self.socket}" run "$@"'
        script = f'#!/bin/sh\ncase "$FRESH$1" in run.py|-m|yes*) exec "{sys.executable}" "$@";; *) exec {ask};; esac\n'
        for name in ("bin/python3", "bin/python", ".venv/bin/python"):
            put(self.root, {name: script.encode()})
            (self.root / name).chmod(0o755)
        put(self.root, {"bin/torchrun": f'#!/bin/sh\nexec "{sys.executable}" -m torch.distributed.run "$@"\n'.encode()})
        (self.root / "bin/torchrun").chmod(0o755)
        count_as_set_up(self.root, "requirements.txt", "requirements-dev.txt")
        variables = {"PATH": f"{self.root / 'bin'}:{os.environ['PATH']}", "NO_PROXY": "127.0.0.1"}
        threads = dict.fromkeys(("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), "1")
        self.environment = {**os.environ, **variables, **threads}

    def run(self, command):
        """Run one command of the README as it stands."""
        process = subprocess.run(
            ["bash", "-c", command], cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=300
        )
        assert process.returncode == 0, f"{command}\n{process.stdout[-2000:]}\n{process.stderr[-2000:]}"
        return process.stdout + process.stderr

    # what has to be there before a command

    def grocery(self):
        names = ("positive/1", "positive/2", "negative/3", "testImages/4")
        draw_data_set(self.root / "data/grocery", names, ("orange", "eggBox"))

    def photo(self):
        drawn(7)[0].save(self.root / "photo.jpg")

    def photos(self):
        draw_data_set(self.root / "data/apples", ("positive/1", "positive/2", "testImages/3"), ())

    def fresh_photo(self):
        drawn(8)[0].save(self.root / "fresh.jpg")

    def voc_folder(self):
        (self.root / "data/apples").rename(self.root / "data/mine")  # the README uses the name twice
        put(self.root / "FOLDER", voc_files(("apple", "pear"), {"trainval": range(8)}))

    def coco(self):
        for image_set, numbers in (("train2017", range(3)), ("val2017", range(3, 5))):
            content = {"images": [], "annotations": [], "categories": []}
            content["categories"] = [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}]
            for number in numbers:
                image, boxes = drawn(number)
                path = self.root / "data/coco" / image_set / f"{number:012}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                image.save(path)
                size = {"width": image.width, "height": image.height}
                content["images"].append({"id": number, "file_name": path.name, **size})
                for category, (x1, y1, x2, y2) in zip((1, 3), boxes.tolist(), strict=True):
                    entry = {"id": 2 * number + category, "image_id": number, "category_id": category, "iscrowd": 0}
                    box = [x1, y1, x2 - x1, y2 - y1]
                    content["annotations"].append({**entry, "bbox": box, "area": box[2] * box[3]})
            text = json.dumps(content).encode()
            put(self.root, {f"data/coco/annotations/instances_{image_set}.json": text})

    def downloads(self):
        """The archives on the server, and their addresses and hashes in the copy's helpers/fetching/public_data.py."""
        lists = {"trainval": range(1, 4), "test": range(4, 6)}
        known = {}
        for archive, name in (("VOCtrainval_06-Nov-2007.tar", "trainval"), ("VOCtest_06-Nov-2007.tar", "test")):
            files = voc_files(("person", "bottle"), {name: lists[name]})
            content = tar_of(files, "VOCdevkit/VOC2007/", "w")
            known[archive] = len(content), hashlib.sha256(content).hexdigest()
            put(self.served, {archive: content})
        rois, counts = {}, {}
        for name, numbers in lists.items():
            path, stems = self.served / f"voc_2007_{name}.mat", [f"{number:06}" for number in numbers]
            boxes = [np.array([[1, 1, 60, 60], [20, 20, 90, 100], [5, 5, 50, 80]], float) for _ in stems]
            rois[path.name], counts[path.name] = write_mat(path, stems, boxes).read_bytes(), len(stems)
        content = tar_of(rois, "selective_search_data/", "w:gz")
        put(self.served, {"selective_search_data.tgz": content})
        with open(self.root / "helpers/fetching/public_data.py", "a") as file:
            file.write(
                f"\nVOC_URL, VOC_ARCHIVES = {self.url!r}, {known!r}\n"
                f"SELECTIVE_SEARCH_URLS = ({self.url + 'selective_search_data.tgz'!r},)\n"
                f"SELECTIVE_SEARCH_MD5 = {hashlib.md5(content).hexdigest()!r}\nSELECTIVE_SEARCH_IMAGES = {counts!r}\n"
            )


PREPARATIONS = {  # by the beginning of the command that needs them
    "python3 run.py --set classifier=nn datasetName=grocery": Project.grocery,
    "python3 6_scoreImage.py --model proc/grocery/models/exp1.safetensors": Project.photo,
    "# put photos into positive/": Project.photos,
    "python3 6_scoreImage.py fresh.jpg": Project.fresh_photo,
    "python3 tools/importAnnotations.py voc FOLDER": Project.voc_folder,
    "python3 tools/listCocoCategories.py": Project.coco,
    "python3 tools/getData.py pascalVoc": Project.downloads,
}


# --- a hand for the windows -------------------------------------------------------------------------------------------


class Hand:
    """Draws and names boxes in the windows of A1 and A2, by mouse and keys."""

    def __init__(self, project, screen):
        self.project, self.screen = project, screen

    def run(self, command):
        """Run a command that opens a window, for the folder that it names and then, as the README says, the other."""
        for text in (command, command.replace("positive", "testImages")):
            folder = self.project.root / text.split()[-1]
            images = sorted(folder.glob("*.jpg"))
            process = self.start(text)
            (self.draw if "A1" in text else self.name)(images)
            self.screen.do("key", "q")
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 0 and "next: " in output, output
            self.next = output.rpartition("next: ")[2].strip()
            wait_for(lambda: self.screen.picture().mean() < 1, "the window to go")

    def start(self, command):
        """Start a command and wait for its picture; see `Screen.start` for why it may take more than one try."""
        environment = {**self.project.environment, "DISPLAY": self.screen.display, "FRESH": "yes"}  # can be killed
        for _ in range(4):
            process = subprocess.Popen(
                ["bash", "-c", command], cwd=self.project.root, env=environment, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            end = time.monotonic() + 30
            while time.monotonic() < end and process.poll() is None:
                if self.screen.picture()[:700, :1200].mean() > 20 and all(self.screen.rests() for _ in range(4)):
                    return process
            process.kill()
            output, _ = process.communicate()
        raise AssertionError(f"{command} shows no picture: {output}")

    def draw(self, images):
        area = MARGIN, MARGIN, WINDOW[0] - 2 * MARGIN, WINDOW[1] - STATUS_HEIGHT - 2 * MARGIN
        for path in images:
            fit = fit_image(Image.open(path).size, area)
            for box in drawn(int(path.stem) - 1)[1]:
                x1, y1, x2, y2 = (round(value) for value in fit.to_screen(box))
                self.screen.drag((x1, y1), (x2, y2))
            boxes = path.with_suffix(".bboxes.tsv")
            wait_for(lambda: boxes.exists() and boxes.read_text().count("\n") == 2, f"two boxes in {boxes}")  # noqa: B023
            if path != images[-1]:
                self.screen.act("key", "n")

    def name(self, images):
        self.screen.do("mousemove", 300, 300)
        labels = [path.with_suffix(".bboxes.labels.tsv") for path in images]
        if images[0].parent.name == "positive":  # no class has a name yet; the second one is asked for by c
            for key in (*"apple", "Return", "c", *"pear", "Return"):
                self.screen.act("key", key)
        while sum(path.read_text().count("\n") for path in labels if path.exists()) < 2 * len(images):
            number = sum(path.read_text().count("\n") for path in labels if path.exists())
            self.screen.do("key", str(number % 2 + 1))
            time.sleep(0.3)

"""Annotations of other tools, one kind a format: whatever a file says, tools/importAnnotations.py makes a data set of
it that step 0 accepts, in which no image has lost objects that the file still names, or it says why not.
"""

import re

from fuzzing.base import TEST_FRACTION
from fuzzing.mutation import SAME, VALUE, mutate_bytes, mutate_text
from fuzzing.structures import mutate_json, mutate_xml
from fuzzing.trials import CLEAN, RIGHT, Kind, Wrong

# what stands once for each object, in each format; a file that has as many as before has lost none
MARKERS = {
    "voc": rb"<bndbox>", "coco": rb'"bbox"', "yolo": rb"(?m)^\d+(?: [\d.]+){4}\s*$", "labelme": rb'"points"',
    "csv": rb"(?m)^[^\n]+(?:,[\d.]+){4},\w+\s*$", "vottcsv": rb"(?m)^[^\n]+(?:,[\d.]+){4},\"?\w+\"?\s*$",
    "labelstudio": rb'"rectanglelabels": *\[', "cvat": rb"<box ", "vott": rb'"boundingBox"',
    "vott1": rb"(?m)^(?:[\d.]+\t){3}[\d.]+\s*$",
}  # fmt: skip
# values by which an entry refers to an image or another entry: it may well name another one now
REFERENCES = re.compile(r"id$|file|name|image|path|^d$|types|folder|data|size|width|height", re.IGNORECASE)
# values that say that an object, or the whole entry, does not count
SWITCHES = {"was_cancelled", "state", "outside", "ground_truth", "skipped", "difficult", "iscrowd", "occluded", "type"}
LISTS = ("train.txt", "test.txt", "negative.txt")


def mutators_of(suffix):
    """What changes files of this suffix."""
    aware = {".json": mutate_json, ".xml": mutate_xml}.get(suffix, mutate_text)
    return aware, aware, aware, mutate_text, mutate_bytes


def import_kind(form):
    """The kind of one format."""

    def case(trial):
        source, random = trial.copy(f"exports/{form}"), trial.random
        before = _contents(trial.base / "imported" / f"as-{form}")
        files = [path for path in sorted(source.rglob("*")) if path.suffix in (".json", ".xml", ".csv", ".txt", ".tsv",
                                                                             ".yaml")]  # fmt: skip
        files = [path for path in files if path.name not in LISTS]
        path = random.choice(files)
        data = path.read_bytes()
        mutation = random.choice(mutators_of(path.suffix))(data, random)
        path.write_bytes(mutation.data)
        trial.done.append(f"{path.relative_to(source)}: {mutation.text}")
        after = _imported(trial, form, source)
        if after is None:
            if mutation.effect == SAME:
                raise Wrong(f"refused what says the same in another way ({mutation.text})")
            return CLEAN
        _judge(form, path, data, mutation, before, after)
        _require_accepted(trial)
        return RIGHT

    return Kind(f"import {form}", case)


def _imported(trial, form, source):
    """The `_contents` of what an import makes of a source; None where it ended with an error."""
    root = trial.folder / "data"
    fraction = "--testFraction", str(TEST_FRACTION)
    ended = trial.run("tools/importAnnotations.py", form, source, "after", *fraction, "--set", f"dataRootDir={root}")
    folder = root / "after"
    if ended.code:
        if folder.exists():
            raise Wrong("an import that ended with an error left a data set behind")
        return None
    return _contents(folder)


def _contents(folder):
    """Content of an image -> (subdir, sorted (label, box)s) of a data set."""
    found = {}
    for image in sorted(folder.glob("*/*")):
        if image.suffix.lower() in (".jpg", ".jpeg", ".png"):
            boxes, labels = (image.with_name(f"{image.stem}.bboxes{part}.tsv") for part in ("", ".labels"))
            rows = boxes.read_text().splitlines() if boxes.exists() else []
            names = labels.read_text().splitlines() if labels.exists() else []
            objects = sorted(zip(names, rows, strict=True))
            found[hash(image.read_bytes())] = image.parent.name, objects  # the name of a copy may differ
    return found


def _judge(form, path, data, mutation, before, after):
    """Raise `Wrong` for an image that lost what the file still says of it."""
    if mutation.effect == SAME and {key: objects for key, (_, objects) in after.items()} != {
        key: objects for key, (_, objects) in before.items()
    }:
        raise Wrong(f"the file says the same in another way ({mutation.text}), the boxes differ")
    unknown = after.keys() - before.keys()
    if unknown:
        raise Wrong("an image is in the data set whose content is none of the source's")
    total = sum(len(after[key][1]) for key in after)
    expected = sum(len(before[key][1]) for key in after)
    kept_all = len(re.findall(MARKERS[form], mutation.data)) >= len(re.findall(MARKERS[form], data))
    turned = [key for key, (subdir, _) in after.items() if subdir == "negative" and before[key][0] != "negative"]
    emptied = [key for key, (_, objects) in after.items() if not objects and before[key][1]]
    if (turned or emptied) and kept_all and total < expected and not _says_nothing(mutation):
        raise Wrong("an image with objects became one without")
    precise = mutation.effect == VALUE and not REFERENCES.search(mutation.key) and mutation.key not in SWITCHES
    if precise and total < expected:
        raise Wrong(f"an image is in the data set without {expected - total} of its objects")
    if form in ("voc", "labelme", "vott1", "yolo") and path.suffix != ".yaml" and "classes" not in path.name:
        _require_others_as_before(before, after)


def _says_nothing(mutation):
    return mutation.effect == VALUE and mutation.key in SWITCHES


def _require_others_as_before(before, after):
    """A file stands for one image: at most one other image may have changed, and that by getting more."""
    changed = [key for key, (_, objects) in after.items() if objects != before[key][1]]
    lost = [key for key in changed if not set(map(tuple, before[key][1])) <= set(map(tuple, after[key][1]))]
    if len(lost) > 1:
        raise Wrong(f"one file was changed, {len(lost)} images lost boxes")


def _require_accepted(trial):
    """What was imported must be in order for step 0, but for choices that are the user's."""
    root = trial.folder / "data"
    ended = trial.run("0_checkDataset.py", "--set", f"dataRootDir={root}", "datasetName=after")
    errors = [line for line in (ended.out + ended.err).splitlines() if line.startswith("ERROR: ")]
    choices = re.compile(r"no image|no label file names a class|only one|at least")
    if errors := [line for line in errors if not choices.search(line)]:
        raise Wrong(f"import made what step 0 refuses: {errors[0][:500]}")


IMPORT_KINDS = [import_kind(form) for form in MARKERS]

"""Command lines: values after --set, and options. What is accepted must go through the steps that it is for."""

import json
import math
import re

from fuzzing.base import NN_STEPS, SVM_STEPS, TINY, settings
from fuzzing.mutation import NUMBERS, SAME, WORDS, mutate_bytes, mutate_text
from fuzzing.trials import CLEAN, RIGHT, Kind, Wrong

LITERALS = (
    *NUMBERS, *[word for word in WORDS if "\0" not in word and "\ud7ff" not in word],
    "{[]:1}", "{}", "[]", "()", "(1,)", "((1,2),)", "((1, 0.1), (2, 0.01))", "((1,1e308),)", "None", "True", "False",
    "true", "1e18", "1e300", "1e-300", "-1e-300", "2**31", "1j", "b'x'", "'x'", '"x"', "(" * 300, "[" * 5000,
    "{'svm': 0}", "{'svm': nan, 'nn': 0}", "{'svm': 0, 'nn': 0, 'x': 0}", "0.0000001", "1,2", "1,2,3", "1000000",
    "2147483647", "2147483648", "10000000000", "'a' 'b'", "{1, 2}", "...", "__import__('os')", "f'{1}'", "x=y", "=",
    "1 2", "0o7", "\u0663", "0.5,0.5", "lambda: 1",
)  # fmt: skip
# these cost time or memory as the README says they do: values within the limits are not the subject here
COSTLY = {"cntk_nrRois", "cntk_padWidth", "cntk_padHeight", "roi_maxImgDim", "grid_nrScales"}


def _literal(trial):
    """One or two parameters with any value, for all steps."""
    from helpers.config.schema import declared

    random = trial.random
    nn = random.random() < 0.3
    folder = trial.copy("nn" if nn else "svm")
    names = [name for name in declared() if not name.endswith("RootDir")]
    changed = {}
    for _ in range(random.choice((1, 1, 2))):
        name = random.choice(names)
        changed[name] = random.choice(LITERALS)
        if random.random() < 0.3:
            changed[name] = _number_within(declared()[name], random) or changed[name]
    arguments = settings(folder, classifier="nn" if nn else "svm")
    texts = [text for text in arguments if text.partition("=")[0] not in changed]
    texts += [f"{name}={value}" for name, value in changed.items()]
    steps = NN_STEPS if nn else SVM_STEPS
    for script in steps:
        if trial.run(f"{script}.py", "--set", *texts).code:
            return CLEAN
    for path in (folder / "results").rglob("evaluation_*.json"):
        _require_numbers(path)
    return RIGHT


def _number_within(item, random):
    """One of the bounds that a parameter states, which it must accept or refuse in words."""
    numbers = re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", item.words.replace(",", ""))
    return random.choice(numbers) if numbers else None


def _require_numbers(path):
    """Raise `Wrong` for a measure that is not a number from 0 to 1 (or nothing, for want of objects)."""
    measures = json.loads(path.read_text())
    for name in ("mAP", "mAP_0.7", "cocoAP50_95"):
        value = measures[name]
        if value is not None and not (math.isfinite(value) and 0 <= value <= 1):
            raise Wrong(f"{path.name}: {name} is {value}")


def _kept(trial):
    """A file of parameters that are kept with the data set."""
    folder = trial.copy("svm")
    rows = [f"{name}={value}" for name, value in TINY.items() if name not in ("datasetName", "network_device")]
    text = "\n".join(["# of the tiny data set", *rows, "svm_C=0.003", ""])
    mutation = trial.random.choice((mutate_text, mutate_text, mutate_bytes))(text.encode(), trial.random)
    (folder / "data/tiny/parameters.txt").write_bytes(mutation.data)
    trial.done.append(f"parameters.txt: {mutation.text}")
    for script in SVM_STEPS:
        if trial.run(f"{script}.py", "--set", "datasetName=tiny", *settings(folder)[-3:]).code:
            if mutation.effect == SAME:
                raise Wrong(f"refused what says the same in another way ({mutation.text})")
            return CLEAN
    for path in (folder / "results").rglob("evaluation_*.json"):
        _require_numbers(path)
    return RIGHT


def _options(trial):
    """The options of the scripts beside the steps."""
    random = trial.random
    folder = trial.copy("svm")
    (photo, *_) = sorted((folder / "data/tiny/testImages").glob("*.jpg"))
    before = {path: path.read_bytes() for path in (folder / "data").rglob("*") if path.is_file()}
    value = random.choice(LITERALS)
    number = random.choice((*NUMBERS, "3", "1"))
    place = random.choice((folder / "new", photo, photo.parent, ".", "/dev/null", "/proc/x", folder / ("y" * 300), "",
                           folder / "a\nb"))  # fmt: skip
    an_import = ("tools/importAnnotations.py",)
    commands = (
        ("6_scoreImage.py", photo, "--threshold", number, "--out", place),
        ("6_scoreImage.py", photo, "--detectionsTsv", place, "--out", folder / "out"),
        ("6_scoreImage.py", "--demo", number, "--out", folder / "out"),
        ("6_scoreImage.py", value, "--out", folder / "out"),
        ("6_scoreImage.py", photo, "--model", place, "--out", folder / "out"),
        ("7_exportModel.py", "--model", place, "--out", folder / "x.onnx"),
        ("tools/exportAnnotations.py", random.choice(("coco", "voc", value)), random.choice(("tiny", value)), place),
        (*an_import, "csv", place, random.choice(("new", value))),
        (*an_import, "vott1", folder / "data/tiny", "new", "--testFraction", number),
        (*an_import, "vott1", trial.base / "exports/vott1", "new", "--rename", value),
        (*an_import, "vott1", trial.base / "exports/vott1", "new", "--classes", value),
        (*an_import, "vott1", trial.base / "exports/vott1", "new", "--train", place, "--images", value),
        (*an_import, "yolo", trial.base / "exports/yolo", "new", "--classFile", place),
        ("tools/findDuplicates.py", place), ("tools/findDuplicates.py", value), ("tools/newDataset.py", value),
        ("tools/getData.py", "grocery", "--from", place), ("tools/getData.py", "weights", value),
        ("tools/getData.py", value), ("tools/listCocoCategories.py",),
        ("0_checkDataset.py",), ("5_visualize.py", value),
    )  # fmt: skip
    script, *arguments = random.choice(commands)
    roots = [*settings(folder)[-3:]]
    tiny = settings(folder)[:-3] if script[0].isdigit() else []
    if any("\0" in str(argument) for argument in arguments):
        return RIGHT  # no command line holds it
    ended = trial.run(script, *arguments, "--set", *tiny, *roots)
    changed = [path for path, content in before.items() if not path.is_file() or path.read_bytes() != content]
    if changed:
        raise Wrong(f"changed {changed[0].relative_to(folder)}, which is the user's")
    return CLEAN if ended.code else RIGHT


COMMAND_KINDS = [Kind("parameters", _literal), Kind("kept parameters", _kept), Kind("options", _options)]

"""Makes the pictures of README and Part 1, and the output that they quote, from one run on the example images.

    python3 benchmarks/readme_pictures.py            # into a temporary folder; shows what would change
    python3 benchmarks/readme_pictures.py --write    # replaces resources/readme/* and the blocks in both pages

The run starts from nothing and takes some minutes. Pictures and numbers belong to each other, and to the code as it is.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import argparse
import difflib
import json
import re
import subprocess
import tempfile

from helpers.base.errors import UserError
from helpers.base.files import write_text
from helpers.base.images import read_image, scale_to_fit, write_image
from helpers.base.script import run_script
from pipeline.parameters import load_parameters

ROOT = Path(__file__).resolve().parent.parent
DATASET, IMAGE = "groceryDemo", "data/groceryDemo/testImages/21.jpg"
SCRIPTS = (  # script, arguments
    ("0_checkDataset.py",), ("1_computeRois.py",), ("2_computeCntkInputs.py",), ("B2_visualizeInputs.py",
    "imageSet=train"), ("3_runNetwork.py",), ("4_trainSvm.py",), ("5_evaluate.py",), ("5_visualize.py",),
)  # fmt: skip
PICTURES = {  # name in resources/readme -> path below the results, largest width and height in pixels
    "step2_inputs.jpg": ("inputs/train/1.jpg", 1100),
    "step5_detections.jpg": ("visualizations/test_svm/21.jpg", 1100),
    "step5_precisionRecall.png": ("evaluation_test_svm_precisionRecall.png", 850),
    "step6_scored.jpg": ("scored/21.jpg", 800),
}
THRESHOLDS_SHOWN = 4
README, PART_1 = ROOT / "README.md", ROOT / "docs" / "part1-svm.md"


def run_all(folder, settings=()):
    """Run every script on the example images from nothing; returns what each printed, by its name."""
    settings = [
        f"datasetName={DATASET}",
        f"procRootDir={folder / 'proc'}",
        f"resultsRootDir={folder / 'results'}",
        *settings,
    ]
    printed = {}
    for script, *more in SCRIPTS:
        printed[script] = run_script_of(script, "--set", *settings, *more)
    printed["6_scoreImage.py"] = run_script_of("6_scoreImage.py", IMAGE, "--set", *settings)
    return printed


def run_script_of(script, *arguments):
    """What a script printed; `UserError` where it failed."""
    print(script, flush=True)
    done = subprocess.run(
        [sys.executable, script, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise UserError(f"{script} ended with exit code {done.returncode}: see its message above")
    return done.stdout


def table_in(text, head):
    """The lines of a table in what a script printed: from the row that begins with `head` to a blank line or prose."""
    lines = text.splitlines()
    start = next((row for row, line in enumerate(lines) if line.startswith(head)), None)
    if start is None:
        raise UserError(f'no table that begins with "{head}" was printed')
    end = next(
        (row for row in range(start + 1, len(lines)) if "  " not in lines[row] and "---" not in lines[row]), None
    )
    return [line.rstrip() for line in lines[start:end]]


def evenly(rows, count):
    """So many of the rows, the first and the last one among them."""
    count = min(count, len(rows))
    return [rows[round(number * (len(rows) - 1) / max(1, count - 1))] for number in range(count)]


def quoted_json(line):
    """A line of step 6 as Part 1 shows it, broken for reading, with two detections."""
    result = json.loads(line)
    first, second = (json.dumps(found) for found in result["detections"][:2])
    head = {name: result[name] for name in ("image", "width", "height")}
    return [
        json.dumps(head)[:-1] + ",",
        f' "seconds": {json.dumps(result["seconds"])},',
        f' "detections": [{first},',
        f"                {second}, ...",
    ]


def quotes(printed):
    """What the pages quote: page -> the beginning of a block's first line -> its lines."""
    thresholds = table_in(printed["5_visualize.py"], "score from")
    shown = [row for row in thresholds[2:] if float(row.split()[0]) >= 0]  # from what is drawn on
    rounds = re.findall(r"^ *(round \d+: .*)", printed["4_trainSvm.py"], re.M)
    aps = table_in(printed["5_evaluate.py"], "class ")
    part_1 = {
        "limit of ROIs": table_in(printed["0_checkDataset.py"], "limit of ROIs")[:4],
        "round 1:": rounds,
        "class     objects": aps,
        "score from": thresholds[:2] + evenly(shown, THRESHOLDS_SHOWN),
        '{"image":': quoted_json(printed["6_scoreImage.py"].splitlines()[0]),
    }
    return {README: {"class     objects": [*aps[:4], *aps[4:][-1:]]}, PART_1: part_1}


def replace_block(text, beginning, lines):
    """A page with other lines in the indented block that begins so; raises `UserError` unless there is just one."""
    blocks = list(re.finditer(r"(?m)^    " + re.escape(beginning) + r".*\n(?:    .*\n)*", text))
    if len(blocks) != 1:
        raise UserError(f'{len(blocks)} blocks begin with "{beginning}", not one')
    return text[: blocks[0].start()] + "".join(f"    {line}\n" for line in lines) + text[blocks[0].end() :]


def main(write=False, settings=()):
    """Run everything and show, or write, what changes in the pages; returns their texts."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        printed = run_all(folder, settings)
        results = load_parameters([f"datasetName={DATASET}", f"resultsRootDir={folder / 'results'}"]).results_dir
        for name, (path, side) in PICTURES.items():
            picture = read_image(results / path)
            if max(picture.shape[:2]) > side:
                picture, _ = scale_to_fit(picture, side, side)
            if write:
                write_image(ROOT / "resources" / "readme" / name, picture, quality=85)
    texts = {}
    for page, blocks in quotes(printed).items():
        before = page.read_text(encoding="utf-8")
        after = before
        for beginning, lines in blocks.items():
            after = replace_block(after, beginning, lines)
        print(
            "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), page.name, "this run", n=0))
        )
        if write:
            write_text(page, after)
        texts[page] = after
    return texts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="replace the pictures and the quoted output")
    options = parser.parse_args()
    run_script(main, options.write)

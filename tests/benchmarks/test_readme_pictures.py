"""Protects benchmarks/readme_pictures.py: what README and Part 1 quote is cut out of what scripts print."""

import json
import re

import pytest
import readme_pictures

from helpers.base.errors import UserError

DETECTION = {"label": "water", "score": 2.1, "box": [1.0, 2.0, 3.0, 4.0]}
LIMITS = """x

limit of ROIs  value
--------------------
roi_minDimRel  0.03
roi_maxDimRel  0.25
roi_x  1
"""
ROUNDS = """  round 1: 5 ROIs inside the margin, 3 held
  round 2: 0 ROIs inside the margin, 3 held
8 SVMs
"""
APS = """class   objects  AP@0.5
-----------------------
orange  5  1.000
mean    5  1.000
table, curves and confusion matrix: x
"""
THRESHOLDS = """All classes together
score from  detections
----------------------
0  9
0.1  8
0.2  7
0.3  6
0.4  5
0.5  4
0.6  3
0.7  2
0.2 is the lowest threshold
"""
FOUND = {"image": "a.jpg", "width": 7, "height": 8, "seconds": {"all": 1.0}, "detections": [DETECTION] * 3}
PRINTED = {
    "0_checkDataset.py": LIMITS,
    "4_trainSvm.py": ROUNDS,
    "5_evaluate.py": APS,
    "5_visualize.py": THRESHOLDS,
    "6_scoreImage.py": json.dumps(FOUND),
}


def test_quotes_are_cut_out_of_what_is_printed():
    quotes = readme_pictures.quotes(PRINTED)[readme_pictures.PART_1]
    assert quotes["limit of ROIs"][-1] == "roi_maxDimRel  0.25" and len(quotes["limit of ROIs"]) == 4
    assert quotes["round 1:"][1] == "round 2: 0 ROIs inside the margin, 3 held" and len(quotes["round 1:"]) == 2
    assert quotes["class     objects"][-1] == "mean    5  1.000"
    assert [row.split()[0] for row in quotes["score from"][2:]] == ["0", "0.2", "0.5", "0.7"]
    assert quotes['{"image":'][0] == '{"image": "a.jpg", "width": 7, "height": 8,' and len(quotes['{"image":']) == 4
    with pytest.raises(UserError, match='no table that begins with "class "'):
        readme_pictures.quotes({**PRINTED, "5_evaluate.py": "nothing"})


@pytest.mark.parametrize("page", [readme_pictures.README, readme_pictures.PART_1])
def test_every_quote_has_its_block_in_its_page_and_nothing_else_changes(page):
    text = page.read_text(encoding="utf-8")
    for beginning, lines in readme_pictures.quotes(PRINTED)[page].items():
        changed = readme_pictures.replace_block(text, beginning, lines)
        assert "".join(f"    {line}\n" for line in lines) in changed
        first = text.index(f"    {beginning}")
        assert changed[:first] == text[:first] and changed.endswith(text[text.index("\n\n", first) :])
    with pytest.raises(UserError, match="0 blocks begin with"):
        readme_pictures.replace_block(text, "no such block", ["x"])


def test_every_picture_of_the_pages_is_made():
    texts = [page.read_text(encoding="utf-8") for page in (readme_pictures.README, readme_pictures.PART_1)]
    shown = set(re.findall(r"\]\((?:\.\./)?resources/readme/([^)]+)\)", "".join(texts)))
    assert shown == set(readme_pictures.PICTURES)
    assert {path.name for path in (readme_pictures.ROOT / "resources" / "readme").iterdir()} == shown

"""Protects the pages: the README's length, links and pictures that are there, and the words of the field."""

import re
import subprocess

import pytest
from project import ROOT

PAGES = sorted(path for path in ROOT.rglob("*.md") if not {".venv", "data"} & {*path.relative_to(ROOT).parts[:-1]})
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# what this project said before it took the words of papers and of torchvision, and what it says instead
DIALECT = {
    r"\btrue box(es)?\b": "ground-truth box",
    r"\b(naming|moving) loss\b": "classification loss, box-regression loss",
    r"\boffenders?\b": "hard negatives",
    r"\bcounter-?examples?\b": "negatives",
    r"\bmend(s|ed|ing)?\b": "fix, repair",
    r"\bby lot\b": "at random",
    r"\bmanieth\b": "n-th",
    r"\bhow-?manieth\b": "n-th",
    r"\b(SVM|regression|ROIs|detections|objects|boxes|numbers|rows|kB|MB|seconds|ms) an? (class|image|ROI)\b": "per",
    r"\bsurroundings of (a|the) (ROI|box)": "context region",
    r"\b(near|equally good) doubles\b": "duplicates",
}
OTHER_SUBJECTS = ("dev/renderGroceryDemo/", "tests/docs/test_pages.py")


def anchors(path):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def sources():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = [name for name in listed.split("\0") if name.endswith((".py", ".md", ".toml"))]
    return [name for name in names if not name.startswith(OTHER_SUBJECTS) and (ROOT / name).exists()]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 220


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_reached_from_the_readme():
    found, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        found.add(page)
        links = (link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8")))
        pages = {(page.parent / link).resolve() for link in links if link.endswith(".md") and "://" not in link}
        todo += pages - found - {*todo}
    assert {ROOT / "docs" / path.name for path in (ROOT / "docs").glob("*.md")} <= found
    assert {ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "tests" / "README.md"} <= found


def test_files_that_pages_name_are_there():
    """Paths in code spans, such as `helpers/base/files.py` or `tests/docs`."""
    for page in PAGES:
        if page.is_relative_to(ROOT / "dev" / "renderGroceryDemo") or page.name == "CHANGELOG.md":
            continue
        for name in re.findall(r"`([\w/.]+/[\w.]+\.(?:py|md|toml))`", page.read_text(encoding="utf-8")):
            assert any((folder / name).exists() for folder in (ROOT, page.parent)), f"{page.name}: {name}"


@pytest.mark.parametrize("name", sources())
def test_words_of_the_field(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for words, better in DIALECT.items():
        found = re.search(words, " ".join(text.split()), re.IGNORECASE)
        assert found is None, f'{name}: "{found[0]}"; write {better}'


@pytest.mark.parametrize("words", DIALECT)
def test_the_words_are_found(words):
    examples = (
        "a true box", "the naming loss", "an offender", "counterexamples", "to mend it", "drawn by lot", "how-manieth",
        "the manieth", "200 ROIs an image", "one SVM a class", "surroundings of a ROI", "near doubles",
    )  # fmt: skip
    assert any(re.search(words, example, re.IGNORECASE) for example in examples)

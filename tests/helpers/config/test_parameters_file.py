"""Protects a user who edits PARAMETERS.py: whatever is wrong with the file ends in one line that names it, the row
where there is one, and what is wrong; a misspelled parameter is not passed over."""

import sys
from pathlib import Path

import pytest

from helpers.base.errors import UserError, ending
from helpers.config import file as parameters_file
from pipeline.parameters import load_parameters

ORIGINAL = (Path(__file__).resolve().parents[3] / "PARAMETERS.py").read_text(encoding="utf-8")
ROWS = len(ORIGINAL.splitlines())


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The place of another PARAMETERS.py."""
    path = tmp_path / "PARAMETERS.py"
    monkeypatch.setattr(parameters_file, "PATH", str(path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "PARAMETERS", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return path


def message():
    with pytest.raises(UserError) as caught:
        load_parameters()
    line, code = ending(caught.value)
    assert code == 1 and "\n" not in line and len(line) < 900
    return line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = (", "SyntaxError: '(' was never closed"),
        ("  seed = 3", "IndentationError: unexpected indent"),
        ("seed = 03", "SyntaxError: "),
        ("seed = tree", "NameError: name 'tree' is not defined"),
        ("svm_C = 1 / 0", "ZeroDivisionError: division by zero"),
        ("import nosuch", "ModuleNotFoundError: No module named 'nosuch'"),
        ("raise ValueError('a\\nb')", "ValueError: a\\nb"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("open('/nonexistent/x')", "FileNotFoundError: "),
        ("def again(): return again()", None),
        ("x = lambda: x(); x()", "RecursionError: "),
        ("assert seed == 4", "AssertionError: "),
    ],
)
def test_a_file_that_fails_is_named_with_its_row(file, text, expected):
    file.write_text(f"{ORIGINAL}{text}\n", encoding="utf-8")
    if expected is None:  # a function of one's own is fine
        assert load_parameters().seed == 3
    else:
        line = message()
        assert line.startswith(f"ERROR: {file}, row {ROWS + 1}: {expected}") and "correct it" in line


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"x = '\0'\n", b"seed = 3\n", ORIGINAL.encode("utf-16")])
def test_no_file_and_no_text(file, content):
    if content is not None:
        file.write_bytes(content)
    line = message()
    assert str(file) in line and "fetch" in line


def test_a_folder_in_its_place(file):
    file.mkdir()
    assert f"{file}: no such file" in message()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("datasets = 3", "datasets = 3: must be a dict"),
        ("presets = []", "presets = []: must be a dict"),
        ("del datasets", "datasets = None"),
        ("datasets['groceryDemo'] = 3", "datasets['groceryDemo'] = 3: must be a dict"),
        ("datasets[5] = {}", "datasets[5] = {}: must be a dict"),
        ("datasets['groceryDemo'] = {3: 4}", "datasets['groceryDemo'] = {3: 4}: must be a dict"),
        ("presets['mine'] = 5", "presets['mine'] = 5: must be a dict"),
        ("datasets['groceryDemo']['svm_c'] = 1", 'unknown parameter "svm_c", did you mean "svm_C"?'),
        ("svm_c = 1", 'unknown parameter "svm_c", did you mean "svm_C"?'),
        ("del seed", "gives seed no value"),
        ("seed = object()", "seed = <object"),
    ],
)
def test_values_that_are_none(file, text, expected):
    file.write_text(f"{ORIGINAL}{text}\n", encoding="utf-8")
    assert expected in message()


def test_values_of_ones_own(file):
    file.write_text(f"{ORIGINAL}import math\n_half = 0.5\nsvm_C = math.sqrt(_half)\n", encoding="utf-8")
    assert load_parameters().svm_C == 0.5**0.5

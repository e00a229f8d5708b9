"""Protects captions in scripts that DejaVu Sans lacks: letters come from a font of the system that has them, each class
can be told from the others even where no font does, and that is said once, in one line.
"""

import importlib

import matplotlib
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image, ImageDraw
from tiny import run_steps, tiny_params

from fastRCNN.structures import Detections
from helpers.annotating.labels import Button
from helpers.annotating.view import _draw_button
from helpers.drawing import fonts
from helpers.drawing.boxes import DrawnBox, detection_boxes, draw_boxes, side_by_side
from helpers.drawing.fonts import can_draw, drawable_names, lettering, plot_families
from helpers.drawing.plots import plot_confusion, write_figure


def make_font(path, letters, family="Test"):
    """Write a font: each of its letters is a box of another height, a quarter of the line and up."""
    names, glyphs, widths = [".notdef"], {}, {}
    for index, letter in enumerate(["", *letters]):
        pen, top = TTGlyphPen(None), 250 + 100 * index
        if letter != "\u200b":  # a blank
            for place, point in enumerate([(100, 0), (100, top), (900, top), (900, 0)]):
                (pen.lineTo if place else pen.moveTo)(point)
            pen.closePath()
        name = f"g{index}" if letter else ".notdef"
        glyphs[name], widths[name] = pen.glyph(), (1000, 100)
        names += [name] if letter else []
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): f"g{index}" for index, letter in enumerate(letters, 1)})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(widths)
    builder.setupHorizontalHeader(ascent=900, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=900, sTypoDescender=-200, usWinAscent=900, usWinDescent=200)
    builder.setupPost()
    builder.save(path)
    return str(path)


@pytest.fixture
def use(monkeypatch):
    """Let these be the fonts of the system."""

    def use_fonts(*paths):
        for function in (fonts._font_with, fonts._code_points, fonts.drawable_names, fonts._truetype):
            function.cache_clear()
        monkeypatch.setattr(fonts, "system_fonts", lambda: tuple(paths))

    with matplotlib.rc_context():
        yield use_fonts
    for function in (fonts._font_with, fonts._code_points, fonts.drawable_names, fonts._truetype):
        function.cache_clear()


def written(text, size=40):
    """A text in black on white, as an array."""
    picture = Image.new("RGB", (400, 80), "white")
    lettering(size).draw(ImageDraw.Draw(picture), (10, 60), text, (0, 0, 0))
    return np.asarray(picture)[..., 0]


def test_letters_come_from_the_first_font_that_has_them(tmp_path, use):
    use(make_font(tmp_path / "a.ttf", "牛"), make_font(tmp_path / "b.ttf", "奶牛"))
    assert can_draw("牛奶 2") and not can_draw("鸡蛋")
    assert drawable_names(("__background__", "牛奶", "cup")) == ("__background__", "牛奶", "cup")
    # of 1000 units a line the first letter of a font is 350 high, the second 450; of 40 pixels 14 and 18
    rows = np.flatnonzero((written("牛") < 128).any(axis=1))
    assert len(rows) == 14 and rows[-1] == 59
    assert len(np.flatnonzero((written("奶") < 128).any(axis=1))) == 14
    picture = written("a牛b")
    columns = np.flatnonzero((picture[:50] < 128).any(axis=0))
    letters = lettering(40)
    assert letters.length("a牛b") == letters.length("a") + 40 + letters.length("b")
    assert columns[-1] < 10 + letters.length("a牛b") and (written("a牛b") != written("ab")).any()


def test_blank_glyphs_broken_fonts_and_bitmaps_are_passed_over(tmp_path, use):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    use(str(tmp_path / "broken.ttf"), str(tmp_path / "gone.ttf"), make_font(tmp_path / "blank.ttf", "\u200b牛"))
    assert can_draw("牛") and not can_draw("\u4e00")
    blank = make_font(tmp_path / "blank2.ttf", "\u200b")
    assert not fonts._draws(blank, "\u200b")


@pytest.mark.parametrize("name", ["γάλα", "молоко", "süt", "שלום", "حليب", "😀", "a\u200db", "x\u3000y", "a\x85b\nc"])
def test_scripts_that_dejavu_has_need_no_other_font(use, name):
    use()
    assert can_draw(name)
    assert (written(name) < 128).any() and lettering(20).shorten(9 * name, 60).endswith("…")


def test_a_class_without_letters_is_drawn_as_its_number_and_that_is_said_once(use, capsys):
    use()
    classes = ("__background__", "牛奶", "cup", "鸡蛋", "นม", "दूध", "🍎")
    wanted = ("__background__", "#1", "cup", "#3", "#4", "#5", "#6")
    assert drawable_names(classes) == drawable_names(classes) == wanted
    drawn = detection_boxes(
        Detections(np.array([[10, 10, 90, 90]] * 2), np.array([0.5, 0.6]), np.array([1, 3])), list(classes)
    )
    assert [item.caption for item in drawn] == ["#1 0.50", "#3 0.60"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "NOTE: no font here has the letters of some classes, which are drawn as numbers: #1 is 牛奶, #3"
    )
    assert "install a font that has them" in line
    drawable_names(("__background__", *(f"牛{number}" for number in range(100))))
    (line,) = capsys.readouterr().err.splitlines()
    assert "#8 is 牛7 and 92 more; install" in line


def test_captions_legends_and_headings_use_these_fonts(tmp_path, use):
    use(make_font(tmp_path / "a.ttf", "牛奶"))
    canvas = np.full((300, 400, 3), 90, np.uint8)
    one, other = (
        draw_boxes(canvas, [DrawnBox((100, 80, 200, 150), (230, 0, 0), text)]) for text in ("牛 1.00", "奶 1.00")
    )
    assert (one != other).any()
    legends = [side_by_side([canvas], [text], text, [DrawnBox((), (230, 0, 0), text)]) for text in ("牛", "奶")]
    assert (legends[0] != legends[1]).any()


def test_texts_are_shortened_to_a_width(tmp_path, use):
    use(make_font(tmp_path / "a.ttf", "牛"))
    letters = lettering(20)
    for text in ("milk" * 30, "牛" * 30, "牛x" * 2000):
        short = letters.shorten(text, 200)
        assert short.endswith("…") and 150 < letters.length(short) <= 200 and text.startswith(short[:-1])
    assert letters.shorten("milk", 200) == "milk" and letters.shorten("milk", 5) == ""


def test_fonts_for_plots(tmp_path, use):
    use(make_font(tmp_path / "a.ttf", "牛", "Test Plot Font"))
    assert plot_families(["cup", "milk 2"]) == ["DejaVu Sans"]
    assert plot_families(["cup", "牛"]) == ["DejaVu Sans", "Test Plot Font"]


def test_the_pipeline_says_it_once(tiny, use, capsys):
    use()
    for path in (tiny / "data/tiny").rglob("*.labels.tsv"):
        path.write_text(path.read_text().replace("circle", "牛奶"), encoding="utf-8")
    params = tiny_params(tiny, classes="牛奶,square", roi_engine="grid")
    run_steps(params, 1, 2)
    importlib.import_module("B2_visualizeInputs").main(params)
    assert capsys.readouterr().err.count("NOTE: no font here") == 1


def test_plots_and_windows_use_these_fonts(tmp_path, use, capsys):
    use(make_font(tmp_path / "a.ttf", "牛", "Test Window Font"))
    matrix = np.array([[0, 1, 1], [1, 3, 0], [0, 0, 4]])
    names = ("__background__", "牛", "鸡")
    figure = plot_confusion(matrix, names, 0.5)
    write_figure(tmp_path / "1.png", figure)  # a missing letter would be a warning, which is an error here
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["(none)", "牛", "#2"]
    assert "Test Window Font" in matplotlib.rcParams["font.family"]
    buttons = []
    for label, class_id in (("牛", 1), ("鸡", 2), ("#2", 2), ("", 2)):
        picture = np.zeros((40, 200, 3), np.uint8)
        _draw_button(picture, Button("1", label, (0, 0, 200, 40), class_id, False, False))
        buttons.append(picture)
    assert np.array_equal(buttons[1], buttons[2]) and (buttons[1] != buttons[3]).any()
    assert (buttons[0] != buttons[3]).any()
    assert capsys.readouterr().err.count("NOTE: no font here") == 1

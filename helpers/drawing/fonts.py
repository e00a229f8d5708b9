"""Letters of every script: DejaVu Sans, which comes with matplotlib, and where it lacks one, a font of this system.

Colour fonts (most emoji) and fonts of blanks cannot be drawn with. A class whose letters no font has is drawn as its
number, and that is said once.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path

import matplotlib
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from PIL import ImageDraw, ImageFont

FOLDER = Path(matplotlib.get_data_path(), "fonts", "ttf")
# Not the first choice for a caption, and a font whose letters are all the same sign
SPECIAL = re.compile("bold|italic|oblique|light|thin|black|mono|serif|condensed|heavy|medium", re.IGNORECASE)
PLACEHOLDERS = re.compile("last ?resort|blank", re.IGNORECASE)
NO_LETTERS = ("Cc", "Zl", "Zp", "Cs")  # line breaks and other signs that a line of text cannot hold
NR_NAMED = 8


@lru_cache
def system_fonts() -> tuple[str, ...]:
    """Paths of the fonts of this system, plain ones first, in a fixed order."""
    paths = [path for path in font_manager.findSystemFonts() if not PLACEHOLDERS.search(Path(path).stem)]
    return tuple(sorted(paths, key=lambda path: (bool(SPECIAL.search(Path(path).stem)), Path(path).name, path)))


@cache
def _code_points(path: str) -> frozenset[int]:
    try:
        return frozenset(FT2Font(path).get_charmap())
    except (RuntimeError, OSError, ValueError):  # not a font that FreeType reads
        return frozenset()


@cache
def _truetype(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


def _draws(path: str, letter: str) -> bool:
    """Whether a font's glyph of a letter can be drawn at any size, and is no blank."""
    try:
        return _truetype(path, 32).getmask(letter).getbbox() is not None
    except (OSError, ValueError, RuntimeError):  # bitmaps in one size, such as colour emoji, or a damaged font
        return False


@lru_cache(maxsize=100_000)
def _font_with(letter: str, own: str) -> str | None:
    """The path of the first font with a letter, `own` before all others, or None."""
    if ord(letter) in _code_points(own):
        return own
    return next((path for path in system_fonts() if ord(letter) in _code_points(path) and _draws(path, letter)), None)


def _needs_glyph(letter: str) -> bool:
    return (
        not letter.isspace()
        and unicodedata.category(letter) not in ("Cf", *NO_LETTERS)
        and not "\ufe00" <= letter <= "\ufe0f"
    )


class Lettering:
    """Letters of one size in pixels, each from the first font that has it."""

    def __init__(self, size: int, bold: bool = False) -> None:
        self.size = size
        self._own = str(FOLDER / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"))

    def _runs(self, text: str) -> list[tuple[ImageFont.FreeTypeFont, str]]:
        """[(font, letters)] from left to right; blanks go with what is before them."""
        if text.isascii() and text.isprintable():
            return [(_truetype(self._own, self.size), text)]
        text = "".join(" " if unicodedata.category(letter) in NO_LETTERS else letter for letter in text)
        paths: list[str] = []
        for letter in text:
            neutral = not _needs_glyph(letter)
            path = (paths[-1] if paths else self._own) if neutral else _font_with(letter, self._own) or self._own
            paths.append(path)
        runs = groupby(zip(paths, text, strict=True), key=lambda pair: pair[0])
        return [(_truetype(path, self.size), "".join(letter for _, letter in pairs)) for path, pairs in runs]

    def length(self, text: str) -> float:
        """How wide a text is, in pixels."""
        return sum(font.getlength(letters) for font, letters in self._runs(text))

    def height(self) -> tuple[int, int]:
        """(ascent, descent) of a line, in pixels above and below the letters' foot."""
        return _truetype(self._own, self.size).getmetrics()

    def shorten(self, text: str, width: float) -> str:
        """The text, or its beginning and "…" where it is wider than `width` pixels; "" where nothing fits."""
        text = text[: max(0, round(width)) + 1]  # no letter of those that are seen is narrower than a pixel
        if self.length(text) <= width:
            return text
        low, high = 0, len(text)  # the number of letters that fit lies between, the upper end out
        while high - low > 1:
            middle = (low + high) // 2
            fits = self.length(text[:middle] + "…") <= width
            low, high = (middle, high) if fits else (low, middle)
        return text[:low] + "…" if low else ""

    def draw(
        self,
        brush: ImageDraw.ImageDraw,
        place: tuple[float, float],
        text: str,
        ink: tuple[int, int, int],
        anchor: str = "ls",
    ) -> None:
        """Write on Pillow's `ImageDraw`; anchor: as Pillow's, "l" or "m" and "s" or "m"."""
        runs = self._runs(text)
        if len(runs) == 1:
            brush.text(place, runs[0][1], ink, runs[0][0], anchor)
            return
        x = place[0] - (self.length(text) / 2 if anchor[0] == "m" else 0)
        ascent, descent = self.height()
        foot = place[1] + ((ascent - descent) / 2 if anchor[1] == "m" else 0)  # fonts have middles of their own
        for font, letters in runs:
            brush.text((x, foot), letters, ink, font, "ls")
            x += font.getlength(letters)


@lru_cache
def lettering(size: int, bold: bool = False) -> Lettering:
    """The `Lettering` of a size."""
    return Lettering(size, bold)


def can_draw(text: str) -> bool:
    """Whether fonts here have all letters of a text."""
    own = str(FOLDER / "DejaVuSans.ttf")
    return all(_font_with(letter, own) for letter in set(text) if _needs_glyph(letter))


@lru_cache
def drawable_names(all_classes: tuple[str, ...]) -> tuple[str, ...]:
    """Class names for pictures and plots: a class whose letters no font has is shown as "#" and its number.

    Args:
        all_classes: the background first. What has no letters is said in one line on stderr, once for the same classes.
    """
    missing = {index: name for index, name in enumerate(all_classes) if not can_draw(name)}
    if missing:
        named = [f"#{index} is {name}" for index, name in missing.items()]
        more = f" and {len(named) - NR_NAMED} more" if len(named) > NR_NAMED else ""
        print(
            f"NOTE: no font here has the letters of some classes, which are drawn as numbers: "
            f"{', '.join(named[:NR_NAMED])}{more}; install a font that has them, such as Noto Sans of their script",
            file=sys.stderr,
        )
    return tuple(f"#{index}" if index in missing else name for index, name in enumerate(all_classes))


def plot_families(texts: Iterable[str]) -> list[str]:
    """Names of fonts, for matplotlib's `fontfamily`, that have all letters of some texts between them."""
    own = str(FOLDER / "DejaVuSans.ttf")
    letters = sorted(letter for letter in set("".join(texts)) if _needs_glyph(letter))
    paths = dict.fromkeys(_font_with(letter, own) for letter in letters)
    for path in paths:
        if path not in (None, own):
            font_manager.fontManager.addfont(path)
    return ["DejaVu Sans", *(FT2Font(path).family_name for path in paths if path not in (None, own))]

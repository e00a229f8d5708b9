"""Thousands of numbers as text at once: what a loop in Python takes ten milliseconds an image for."""

import numpy as np

WIDTH = 10  # of a number between 0 and 1 with a space before it: " 0.1234567"
UNIT = 10**7
MOST_DIGITS = 9  # of a whole number


def fixed_point(numbers: np.ndarray) -> bytes:
    """Numbers of [0, 1], any shape, as " 0.1234567" each: what `f" {number:.7f}"` gives but for ties.

    Raises:
        ValueError: for a number outside.
    """
    rest = np.rint(numbers.ravel() * UNIT).astype(np.int64)
    if rest.size and not (rest.min() >= 0 and rest.max() <= UNIT):
        raise ValueError("a number is not between 0 and 1")
    rest = rest.astype(np.int32)  # twice as fast to divide
    text = np.full((WIDTH, len(rest)), ord(" "), np.uint8)
    text[2] = ord(".")
    for column in (9, 8, 7, 6, 5, 4, 3):
        text[column], rest = rest % 10 + ord("0"), rest // 10
    text[1] = rest + ord("0")
    return text.T.tobytes()


def parse_fixed_point(text: bytes) -> np.ndarray | None:
    """The numbers (N,) float64 of text as `fixed_point` makes it; None for any other text."""
    if len(text) % WIDTH:
        return None
    columns = np.frombuffer(text, np.uint8).reshape(-1, WIDTH)
    digits = columns[:, [1, 3, 4, 5, 6, 7, 8, 9]] - ord("0")  # what is no digit wraps around, or exceeds 9
    if (columns[:, 0] != ord(" ")).any() or (columns[:, 2] != ord(".")).any() or (digits > 9).any():
        return None
    return digits @ (10.0 ** np.arange(7, -1, -1)) / UNIT


def parse_whole_numbers(text: bytes, separators: bytes) -> np.ndarray | None:
    """Whole numbers (N,) int64, each with one separator behind it; None for text that is not made so, or more digits.

    Args:
        separators: those of a row, such as three tabs and a newline; there may be any number of rows.
    """
    letters = np.frombuffer(text, np.uint8)
    is_digit = (letters >= ord("0")) & (letters <= ord("9"))
    ends = np.flatnonzero(~is_digit)
    rows, rest = divmod(len(ends), len(separators))
    lengths = np.diff(ends, prepend=-1) - 1
    if rest or letters[ends].tobytes() != separators * rows or (len(ends) and ends[-1] != len(text) - 1):
        return None
    if not len(ends) or lengths.min() < 1 or lengths.max() > MOST_DIGITS:
        return None if len(text) else np.zeros(0, np.int64)
    behind = np.repeat(ends, lengths + 1) - np.arange(len(text))  # digits from here to the end of the number
    worth = np.where(is_digit, 10 ** np.maximum(behind - 1, 0), 0) * (letters.astype(np.int64) - ord("0"))
    return np.add.reduceat(worth, ends - lengths)

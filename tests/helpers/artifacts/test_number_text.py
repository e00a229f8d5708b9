"""Protects numbers as text: against Python's own, number by number, and that other text is not taken for them."""

import numpy as np
import pytest

from helpers.artifacts.number_text import fixed_point, parse_fixed_point, parse_whole_numbers

RANDOM = np.random.default_rng(0)


def test_fixed_point_is_what_python_writes_and_reads():
    numbers = np.concatenate([RANDOM.random(3000), [0, 1, 1e-7, 4e-8, 0.9999999, 0.99999999, 0.1, 0.5]])
    text = fixed_point(numbers.reshape(-1, 4))
    assert text.decode() == "".join(f" {number:.7f}" for number in numbers)
    assert parse_fixed_point(text).tolist() == [float(word) for word in text.split()]  # equal to the last bit
    assert fixed_point(np.zeros((0, 4))) == b"" and parse_fixed_point(b"").tolist() == []


@pytest.mark.parametrize("number", [-1e-6, 1.0000002, np.nan, np.inf, -np.inf])
def test_what_does_not_fit_is_refused(number):
    with pytest.raises(ValueError, match="not between 0 and 1"), np.errstate(invalid="ignore"):
        fixed_point(np.array([0.5, number]))


@pytest.mark.parametrize(
    "text", [b" 0.123456", b" 0,1234567", b"00.1234567", b" 0.12345x7", b" -.1234567", b" 0.1 34567", b" 0.1234567 0.5"]
)
def test_other_text_is_no_fixed_point(text):
    assert parse_fixed_point(text) is None


def test_whole_numbers_are_those_that_python_reads():
    numbers = RANDOM.integers(0, 10 ** RANDOM.integers(1, 10, 4000))
    text = "".join(f"{a}\t{b}\t{c}\t{d}\n" for a, b, c, d in numbers.reshape(-1, 4)).encode()
    assert parse_whole_numbers(text, b"\t\t\t\n").tolist() == numbers.tolist()
    assert parse_whole_numbers(b"007\n", b"\n").tolist() == [7]
    assert parse_whole_numbers(b"", b"\n").tolist() == []


@pytest.mark.parametrize(
    "text",
    [b"1\t2", b"1\t2\n3\t4", b"1\t\n", b"\t1\n", b"1 2\n", b"1\t2\t3\n", b"1\n2\t", b"-1\t2\n", b"1.0\t2\n", b"x\t2\n",
     b"1\t1234567890\n", b"\n", b"\t\n", b"1\t2\n\n", b"1\t2\r\n", "1\t\u0662\n".encode()],
)  # fmt: skip
def test_other_text_is_no_whole_numbers(text):
    assert parse_whole_numbers(text, b"\t\n") is None


def test_altered_text_is_read_as_python_reads_it_or_not_at_all():
    text = bytearray(b"12\t3\t456\t7\n8\t90\t1\t23\n")
    for place in range(len(text)):
        for letter in b"0 \t\n-.x":
            altered = bytes(text[:place]) + bytes([letter]) + bytes(text[place + 1 :])
            found = parse_whole_numbers(altered, b"\t\t\t\n")
            if found is not None:
                rows = [list(map(int, line.split(b"\t"))) for line in altered.split(b"\n")[:-1]]
                assert {len(row) for row in rows} == {4}
                assert found.tolist() == [number for row in rows for number in row]

"""Changes to bytes and to text, whatever they mean: flips, cuts, blocks that move, other encodings, hostile words.

A mutator takes data and a `random.Random` and returns a `Mutation`. The structure-aware ones are in `structures`,
`arrays` and `models`.
"""

import re
from dataclasses import dataclass

SAME, VALUE, ANY = "same", "value", "any"


@dataclass(frozen=True)
class Mutation:
    """The changed bytes, what was done in words, and what it means.

    effect: SAME: the file says what it said; VALUE: one value of an entry is another one, `key` names which; ANY.
    """

    data: bytes
    text: str
    effect: str = ANY
    key: str = ""


NUMBERS = (
    "nan", "inf", "-inf", "NaN", "Infinity", "-1", "0", "-0", "1e308", "1e999", "-1e308", "1e-320", "0.5", "1.0000001",
    "9" * 25, "9" * 400, "9223372036854775808", "4294967296", "0x10", "1_0", "١٢", "1,5", "00010", "", "--1", "1e",
    "3.", "100000000", "1e5", "65536", "0.999999999999",
)  # fmt: skip
WORDS = (
    "", " ", "\t", "EXCLUDE", "UNDECIDED", "é", "牛奶", "a,b", "a\tb", "a\nb", "\x1b[2J", "\0", "x" * 300, "x" * 70000,
    "../../outside", "/etc/passwd", "null", "None", "true", "no", "010", "1.10", "con", "a\u202eb", "\ud7ff", "%s{}",
    "#", '"', "'", "<", "&amp;", "~", "-", "*", "\\", "C:\\x", "file:///etc/passwd", "http://127.0.0.1:9/x",
)  # fmt: skip


def mutate_bytes(data, random):
    """One to three changes that know nothing of the content."""
    texts = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        change = random.choice(BYTE_MUTATORS)
        data = change(bytearray(data), random)
        texts.append(change.__name__.strip("_"))
    return Mutation(bytes(data), " + ".join(texts))


def _span(data, random):
    """(start, end) of a block, small or large."""
    start = random.randrange(len(data) + 1)
    longest = max(1, len(data) - start)
    return start, start + min(longest, random.choice((1, 2, 4, 16, 64, 512, longest)))


def _flip_bits(data, random):
    for _ in range(random.choice((1, 1, 2, 8, 64)) if data else 0):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return data


def _overwrite(data, random):
    start, end = _span(data, random)
    data[start:end] = (
        random.randbytes(end - start) if random.random() < 0.5 else bytes([random.choice((0, 255))]) * (end - start)
    )
    return data


def _cut(data, random):
    return data[: random.randrange(len(data) + 1)]


def _cut_near_the_end(data, random):
    return data[: max(0, len(data) - random.randrange(1, 33))]


def _cut_head(data, random):
    return data[random.randrange(len(data) + 1) :]


def _remove(data, random):
    start, end = _span(data, random)
    del data[start:end]
    return data


def _duplicate(data, random):
    start, end = _span(data, random)
    return data[:end] + data[start:end] * random.choice((1, 1, 2, 10)) + data[end:]


def _swap(data, random):
    (a, b), (c, d) = sorted((_span(data, random), _span(data, random)))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:] if b <= c else data[b:] + data[:b]


def _insert(data, random):
    start, _ = _span(data, random)
    new = random.choice((b"\0", b"\xff\xfe", b"\n", b"A" * 5000, random.randbytes(8), b"\xef\xbb\xbf", b"-1"))
    return data[:start] + new + data[start:]


def _append(data, random):
    return data + random.choice((b"\0" * 100, bytes(data), random.randbytes(50), b"\n\n", b"\x1a"))


def _empty(data, random):
    return bytearray()


BYTE_MUTATORS = (
    _flip_bits, _flip_bits, _flip_bits, _overwrite, _cut, _cut_near_the_end, _cut_head, _remove, _duplicate, _swap,
    _insert, _append, _empty,
)  # fmt: skip


def mutate_text(data, random):
    """A change to text: a number, a word, rows, line ends or the encoding."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return mutate_bytes(data, random)
    return random.choice((_number, _number, _number, _word, _word, _rows, _encoding))(text, random)


def _replace_one(text, random, pattern, values):
    found = list(re.finditer(pattern, text[:200_000]))
    if not found:
        return Mutation(random.choice(values).encode(), "all replaced")
    spot, value = random.choice(found), random.choice(values)
    changed = text[: spot.start()] + value + text[spot.end() :]
    return Mutation(changed.encode("utf-8", "replace"), f"{spot.group()[:30]!r} -> {value[:40]!r}")


def _number(text, random):
    return _replace_one(text, random, r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", NUMBERS)


def _word(text, random):
    return _replace_one(text, random, r"[^\W\d]\w*", WORDS)


def _rows(text, random):
    lines = text.splitlines(keepends=True) or [""]
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    what = random.choice(("delete", "duplicate", "swap", "blank", "join", "shuffle", "repeat", "no last newline"))
    if what == "delete":
        del lines[one]
    elif what == "duplicate":
        lines.insert(other, lines[one])
    elif what == "swap":
        lines[one], lines[other] = lines[other], lines[one]
    elif what == "blank":
        lines.insert(one, random.choice(("\n", " \n", "\t\t\n")))
    elif what == "join":
        lines[one] = lines[one].rstrip("\r\n") + random.choice(("", " ", "\t"))
    elif what == "shuffle":
        random.shuffle(lines)
    elif what == "repeat":
        lines *= random.choice((2, 50))
    else:
        lines[-1] = lines[-1].rstrip("\r\n")
    return Mutation("".join(lines).encode(), f"rows: {what}")


def _encoding(text, random):
    """The same text as other editors save it: read as it was meant, or refused."""
    name = random.choice(("utf-8-sig", "crlf", "utf-16", "latin-1", "cr"))
    if name in ("crlf", "cr"):
        ends = "\r\n" if name == "crlf" else "\r"
        return Mutation(text.replace("\r\n", "\n").replace("\n", ends).encode(), name, SAME if name == "crlf" else ANY)
    return Mutation(text.encode(name, "replace"), name, SAME if name == "utf-8-sig" else ANY)

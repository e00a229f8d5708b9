"""Reading cell arrays of numbers and texts from MATLAB's .mat files (versions 5 to 7), one cell at a time.

scipy.io.loadmat reads these files too, and the tests compare with it. But it follows cells within cells by recursion
in compiled code: a downloaded file of one megabyte that nests them 20,000 deep ends the Python process (seen with
scipy 1.17). And it holds a whole variable at once, unpacked. Here a cell holds numbers or a text and nothing else, and
no claim of a file about sizes is believed before it is checked.

Format: "MAT-File Format", The MathWorks, chapter 1: elements of a tag (type, number of bytes) and data, padded to 8
bytes; a variable is one element, which may be compressed.
"""

import contextlib
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

MAX_BYTES = 4 * 2**30  # of a file
MAX_CELLS = 200_000
MAX_CELL_BYTES = 2**24  # 524,288 boxes of four doubles
CHUNK = 2**16  # bytes read and unpacked at once
COMPRESSED, MATRIX, DIMENSIONS, FLAGS, NAME = 15, 14, 5, 6, 1  # types of elements
NUMBER_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXT_TYPES = {1: "ascii", 2: "ascii", 4: "utf-16", 16: "utf-8", 17: "utf-16"}
CELL, CHAR, NUMBERS = 1, 4, range(6, 16)  # classes of arrays
COMPLEX = 0x0800
Cell = np.ndarray | str


class Unreadable(Exception):
    """What is wrong with a file, in words without its name."""


@contextlib.contextmanager
def cell_array(path: Path, name: str) -> Iterator[tuple[int, Iterator[Cell]]]:
    """Open a variable that is a cell array: yields (number of cells, iterator of cells in MATLAB's order).

    A cell is an array of numbers as they are stored (of a smaller type than in MATLAB where that holds them), with
    MATLAB's shape, or a str. The memory it takes does not grow with the file.

    Raises:
        Unreadable: if the file, the variable or a cell (when it is the iterator's turn) is anything else or beyond the
            limits above.
        OSError: if the file cannot be read.
    """
    with open(path, "rb") as file:
        order = _byte_order(file)
        for stream in _variables(file, order):
            kind, shape, found = _array_head(stream, order)
            if found == name:
                if kind != CELL:
                    raise Unreadable(f'its variable "{name}" is not a cell array')
                count = int(np.prod(shape, dtype=object))
                if count > MAX_CELLS:
                    raise Unreadable(f'its variable "{name}" claims {count} cells, more than {MAX_CELLS}')
                yield count, _cells(stream, order, count)
                return
    raise Unreadable(f'has no variable "{name}"')


def _byte_order(file: IO[bytes]) -> str:
    """struct's letter for the byte order, from the file's head of 128 bytes."""
    if os.fstat(file.fileno()).st_size > MAX_BYTES:
        raise Unreadable(f"has more than {MAX_BYTES} bytes")
    head = file.read(128)
    order = {b"IM": "<", b"MI": ">"}.get(head[126:], "")
    version = struct.unpack(f"{order}H", head[124:126])[0] if order else None
    if version == 0x0200:
        raise Unreadable("is of MATLAB's version 7.3; save it with -v7")
    if version != 0x0100:
        raise Unreadable("is not a MATLAB file of version 5 to 7")
    return order


class _Stream:
    """Bytes that come in chunks, handed out in the wanted portions."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks, self.buffer = chunks, bytearray()

    def take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            chunk = next(self.chunks, None)
            if chunk is None:
                raise Unreadable("is cut off or broken")
            self.buffer += chunk
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken


def _variables(file: IO[bytes], order: str) -> Iterator[_Stream]:
    """A `_Stream` for each variable, behind its tag. Those that nobody reads cost nothing."""
    while tag := file.read(8):
        if len(tag) < 8:
            raise Unreadable("is cut off or broken")
        kind, length = struct.unpack(f"{order}II", tag)
        end = file.tell() + length
        if kind == COMPRESSED:
            stream = _Stream(_unpacked(_raw(file, length)))
            kind, _ = struct.unpack(f"{order}II", stream.take(8))
        else:
            stream = _Stream(_raw(file, length))
        if kind != MATRIX:
            raise Unreadable(f"has an element of type {kind} where a variable belongs")
        yield stream
        file.seek(end)


def _raw(file: IO[bytes], length: int) -> Iterator[bytes]:
    while length:
        chunk = file.read(min(CHUNK, length))
        if not chunk:
            return
        length -= len(chunk)
        yield chunk


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj()
    for chunk in chunks:
        more = True
        while more:
            try:
                piece = unpacker.decompress(chunk, CHUNK)
            except zlib.error:
                raise Unreadable("is cut off or broken") from None
            chunk = unpacker.unconsumed_tail
            more = bool(chunk) or len(piece) == CHUNK  # a full piece: there may be more that needs no further input
            yield piece


def _element(stream: _Stream, order: str, max_bytes: int) -> tuple[int, bytes]:
    """(type, data) of the next element."""
    tag = stream.take(8)
    kind, length = struct.unpack(f"{order}II", tag)
    if kind >> 16:  # up to four bytes of data fit into the tag
        kind, length = kind & 0xFFFF, kind >> 16
        if length > 4:
            raise Unreadable("is cut off or broken")
        return kind, tag[4 : 4 + length]
    if length > max_bytes:
        raise Unreadable(f"claims an element of {length} bytes")
    return kind, stream.take(length + -length % 8)[:length]


def _array_head(stream: _Stream, order: str) -> tuple[int | None, tuple[int, ...], str]:
    """(class, shape, name) of an array; class None and no name for one that is neither cells, text nor numbers."""
    kind, data = _element(stream, order, 8)
    if kind != FLAGS or len(data) != 8:
        raise Unreadable("is cut off or broken")
    flags = struct.unpack(f"{order}II", data)[0]
    array_class = flags & 0xFF
    if array_class not in (CELL, CHAR, *NUMBERS) or flags & COMPLEX:
        return None, (), ""
    kind, data = _element(stream, order, 4 * 32)
    shape = tuple(np.frombuffer(data, f"{order}i4").tolist()) if kind == DIMENSIONS and len(data) % 4 == 0 else ()
    kind, name = _element(stream, order, 256)
    if len(shape) < 2 or min(shape) < 0 or kind != NAME:
        raise Unreadable("is cut off or broken")
    return array_class, shape, name.decode("latin-1")


def _cells(stream: _Stream, order: str, count: int) -> Iterator[Cell]:
    for _ in range(count):
        kind, length = struct.unpack(f"{order}II", stream.take(8))
        if kind != MATRIX:
            raise Unreadable(f"has an element of type {kind} where a cell belongs")
        if length > MAX_CELL_BYTES:
            raise Unreadable(f"claims a cell of {length} bytes, more than {MAX_CELL_BYTES}")
        # a cell reads from its own bytes only; none at all: MATLAB's way to store a cell that was never filled
        yield _value(_Stream(iter([stream.take(length)])), order) if length else np.zeros((0, 0))


def _value(stream: _Stream, order: str) -> Cell:
    array_class, shape, _ = _array_head(stream, order)
    if array_class is None or array_class == CELL:
        raise Unreadable("has a cell with neither real numbers nor a text")
    kind, data = _element(stream, order, MAX_CELL_BYTES)
    if array_class == CHAR:
        if shape[0] > 1 or kind not in TEXT_TYPES:
            raise Unreadable("has a cell with a text that is not one row")
        encoding = TEXT_TYPES[kind]
        suffix = {"<": "-le", ">": "-be"}[order] if encoding == "utf-16" else ""
        try:
            return data.decode(encoding + suffix)
        except UnicodeDecodeError:
            raise Unreadable(f"has a cell with a text that is not {encoding}") from None
    if kind not in NUMBER_TYPES:
        raise Unreadable(f"has a cell with numbers of the unknown type {kind}")
    dtype = np.dtype(order + NUMBER_TYPES[kind])
    if len(data) != dtype.itemsize * np.prod(shape, dtype=object) or stream.buffer:
        raise Unreadable(f"has a cell of {len(data)} bytes that claims the shape {shape}")
    return np.frombuffer(data, dtype).reshape(shape, order="F")

"""Protects remembered fingerprints: they are those of files as they are now, whatever happened to files or memory."""

import json
import os
import shutil
import time

import pytest

from helpers.base import fingerprints
from helpers.base.errors import UserError
from helpers.base.fingerprints import fingerprint, remembered_fingerprints


@pytest.fixture
def memory(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprints, "RESTED", 0)  # no waiting for files to be old
    return tmp_path / "memory.json"


@pytest.fixture
def photos(tmp_path):
    paths = [tmp_path / f"{index}.jpg" for index in range(3)]
    for index, path in enumerate(paths):
        path.write_bytes(bytes([index]) * 10)
    time.sleep(0.02)  # a tick of the file system's clock
    return paths


@pytest.fixture
def read(monkeypatch):
    """The names of the files that are read."""
    names = []
    real = fingerprints.fingerprint
    monkeypatch.setattr(fingerprints, "fingerprint", lambda path: (names.append(path.name), real(path))[1])
    return names


def truth(paths):
    return {path: fingerprint(path) for path in paths}


def test_unchanged_files_are_read_once(photos, memory, read):
    expected = truth(photos)
    assert remembered_fingerprints(photos, memory) == expected
    assert read == ["0.jpg", "1.jpg", "2.jpg"]
    assert remembered_fingerprints(photos, memory) == expected
    assert len(read) == 3


def rewrite(path):
    """Other bytes of the same number, with the time of before: as `cp -p` of another file."""
    before = os.stat(path)
    path.write_bytes(b"x" * 10)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def exchange(path):
    """Another file of the same size and time takes the place by a rename."""
    other = path.with_name("other")
    other.write_bytes(b"y" * 10)
    os.utime(other, ns=(os.stat(path).st_atime_ns, os.stat(path).st_mtime_ns))
    os.replace(other, path)


@pytest.mark.parametrize("change", [rewrite, exchange, lambda path: path.write_bytes(b"longer than it was")])
def test_a_changed_file_is_read_again(photos, memory, read, change):
    remembered_fingerprints(photos, memory)
    change(photos[1])
    assert remembered_fingerprints(photos, memory) == truth(photos)
    assert read == ["0.jpg", "1.jpg", "2.jpg", "1.jpg"]


def test_a_file_that_changed_just_now_is_not_remembered(photos, memory, monkeypatch, read):
    monkeypatch.setattr(fingerprints, "RESTED", 10**12)
    for _ in range(2):
        remembered_fingerprints(photos, memory)
    assert len(read) == 6 and not memory.exists()


def test_a_file_that_changes_while_it_is_read_is_not_remembered(photos, memory, monkeypatch):
    real = fingerprints.fingerprint

    def slow(path):
        value = real(path)
        path.write_bytes(b"later, and longer")
        return value

    monkeypatch.setattr(fingerprints, "fingerprint", slow)
    remembered_fingerprints(photos[:1], memory)
    monkeypatch.setattr(fingerprints, "fingerprint", real)
    assert remembered_fingerprints(photos[:1], memory) == truth(photos[:1])


def test_missing_and_removed_files(photos, memory):
    expected = truth(photos)
    remembered_fingerprints(photos, memory)
    photos[2].unlink()
    assert remembered_fingerprints(photos, memory) == {**expected, photos[2]: fingerprint(photos[2])}
    photos[2].write_bytes(b"new")
    time.sleep(0.02)
    remembered_fingerprints(photos, memory)
    photos[0].unlink()
    photos[2].write_bytes(b"newer")
    time.sleep(0.02)
    remembered_fingerprints(photos[1:], memory)
    assert str(photos[0]) not in json.loads(memory.read_text())  # what is gone is forgotten


@pytest.mark.parametrize("text", [
    "", "[]", "{", "null", '{"a": 1}', '{"a": []}', '{"PATH": ["abc", 10, 1]}', '{"PATH": [1, 10, 1, 1]}',
    '{"PATH": ["abc", "10", 1, 1]}', "[" * 100_000, "\ud800",
])  # fmt: skip
def test_a_damaged_memory_counts_as_missing(photos, memory, text):
    memory.write_bytes(text.replace("PATH", str(photos[0])).encode("utf-8", "surrogatepass"))
    assert remembered_fingerprints(photos, memory) == truth(photos)
    assert len(json.loads(memory.read_text())) == 3


def test_without_a_folder_nothing_is_remembered(photos, tmp_path):
    memory = tmp_path / "no folder" / "memory.json"
    assert remembered_fingerprints(photos, memory) == truth(photos)
    assert not memory.parent.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_refused(memory, tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UserError, match="pipe.jpg: cannot be read, it is no file"):
        remembered_fingerprints([tmp_path / "pipe.jpg"], memory)


def test_a_moved_folder_is_read_anew(photos, memory, tmp_path, read):
    remembered_fingerprints(photos, memory)
    (tmp_path / "elsewhere").mkdir()
    moved = [shutil.copy2(path, tmp_path / "elsewhere" / path.name) for path in photos]
    remembered_fingerprints(moved, memory)
    assert len(read) == 6

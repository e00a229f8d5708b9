"""Protects downloads: a broken connection costs only what had not come yet, nothing wrong or half ever gets its final
name, and no server can fill the disk.

Everything runs against a server on the loopback address; each test says what that answers.
"""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from loopback_server import CONTENT, SHA256, answer, chunked, fails, files, ranges, status
from project import ROOT

from helpers.base.errors import UserError
from helpers.fetching import download as module
from helpers.fetching.download import download, verify


@pytest.mark.parametrize(
    "known", [{}, {"sha256": SHA256}, {"sha256": SHA256.upper(), "size": len(CONTENT)}, {"sha256_prefix": SHA256[:8]}]
)
def test_a_file_arrives_once(server, tmp_path, known):
    server.script = [answer()]
    path = tmp_path / "new" / "folder" / "file.bin"
    assert download(server.url, path, **known) == path
    assert path.read_bytes() == CONTENT
    assert files(path.parent) == ["file.bin"]  # neither .part nor .lock
    download(server.url, path, **known)
    assert len(server.requests) == 1


def test_length_unknown(server, tmp_path):
    server.script = [chunked(CONTENT)]
    assert download(server.url, tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_break_is_continued(server, tmp_path):
    server.script = [answer(break_after=100_000), answer(break_after=100_000), answer()]
    download(server.url, tmp_path / "file.bin", sha256=SHA256)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-", "bytes=200000-"]


def test_a_break_of_a_server_without_ranges(server, tmp_path):
    server.script = [answer(break_after=100_000), answer(ranges=False)]
    assert download(server.url, tmp_path / "file.bin", sha256=SHA256).read_bytes() == CONTENT


def test_a_range_that_was_not_asked_for(server, tmp_path):
    server.script = [answer(break_after=100_000), answer(first=99_999), answer()]
    assert download(server.url, tmp_path / "file.bin", sha256=SHA256).read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-", None]
    server.requests.clear()
    server.script = [lambda handler: handler.head(206, {"Content-Length": 0, "Content-Range": "bytes 0-0/1"})]
    fails(server, tmp_path / "other.bin", "HTTP 206")


def test_without_a_hash_only_the_same_version_is_continued(server, tmp_path):
    new = b"new" * 50_000
    server.script = [answer(break_after=100_000, etag='"1"'), answer(etag='"1"')]
    assert download(server.url, tmp_path / "same").read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-"]
    assert server.requests[1]["If-Range"] == '"1"'
    server.requests.clear()
    server.script = [answer(break_after=100_000, etag='"1"'), answer(new, etag='"2"')]
    assert download(server.url, tmp_path / "changed").read_bytes() == new
    for etag in (None, 'W/"1"'):
        server.requests.clear()
        server.script = [answer(break_after=100_000, etag=etag), answer(new, etag=etag)]
        assert download(server.url, tmp_path / f"unnamed{etag is None}").read_bytes() == new
        assert ranges(server) == [None, None]


def test_the_part_of_an_earlier_run(server, tmp_path):
    server.script = [answer()]
    for number, (left_over, known, expected) in enumerate(
        [
            (CONTENT[:1000], {"sha256": SHA256}, ["bytes=1000-"]),
            (CONTENT, {"sha256": SHA256}, []),
            (b"wrong" * 100, {"sha256": SHA256}, ["bytes=500-", None]),
            (CONTENT + b"?", {"sha256": SHA256, "size": len(CONTENT)}, [None]),
            (CONTENT[:1000], {}, [None]),
            (CONTENT[:1000], {"size": len(CONTENT)}, [None]),
        ]
    ):
        server.requests.clear()
        path = tmp_path / f"{number}"
        Path(f"{path}.part").write_bytes(left_over)
        assert download(server.url, path, **known).read_bytes() == CONTENT
        assert ranges(server) == expected
    assert files(tmp_path) == [str(number) for number in range(6)]


def test_a_part_longer_than_the_file(server, tmp_path):
    server.script = [status(416), answer()]
    (tmp_path / "file.bin.part").write_bytes(CONTENT + b"?")
    assert download(server.url, tmp_path / "file.bin", sha256=SHA256).read_bytes() == CONTENT
    assert ranges(server)[1:] == [None]


def test_breaks_without_end(server, tmp_path):
    server.script = [answer(break_after=1000)]
    for name, known, kept in (("a", {"sha256": SHA256}, ["a.part"]), ("b", {}, ["a.part"])):
        server.requests.clear()
        fails(server, tmp_path / name, "256000 bytes", "connection ended", str(tmp_path / name), **known)
        assert len(server.requests) == module.ATTEMPTS
        assert files(tmp_path) == kept  # without a hash the part is worth nothing
    assert (tmp_path / "a.part").read_bytes() == CONTENT[: 1000 * module.ATTEMPTS]


@pytest.mark.parametrize("known", [{}, {"size": len(CONTENT)}, {"sha256": SHA256}])
def test_a_break_where_no_length_was_said(server, tmp_path, known):
    server.script = [chunked(CONTENT[:1000], whole=False)]
    fails(server, tmp_path / "file.bin", **known)

    def nothing_said(handler):
        handler.head(200)
        handler.wfile.write(CONTENT[:1000])

    server.script = [nothing_said]
    fails(server, tmp_path / "other.bin", **known)


def test_wrong_hash(server, tmp_path):
    server.script = [answer()]
    fails(server, tmp_path / "a", "0" * 64, SHA256, str(tmp_path / "a"), sha256="0" * 64)
    fails(server, tmp_path / "b", "01234567...", SHA256, sha256_prefix="01234567")
    assert len(server.requests) == 2
    assert files(tmp_path) == []


def test_wrong_size(server, tmp_path):
    server.script = [answer()]
    fails(server, tmp_path / "a", "1000 bytes", "256000", size=1000)
    fails(server, tmp_path / "b", "300000 bytes", "256000", size=300_000, sha256=SHA256)
    server.script = [answer(b"")]
    fails(server, tmp_path / "c", "empty")
    assert files(tmp_path) == []


def test_endless_data_are_cut_off(server, tmp_path, monkeypatch):
    server.script = [chunked(bytes(10_000), endless=True)]
    fails(server, tmp_path / "a", "50000 bytes", "cut", size=50_000)
    monkeypatch.setattr(module, "MAX_BYTES", 100_000)
    fails(server, tmp_path / "b", "at most 100000 bytes", "cut")
    fails(server, tmp_path / "c", "at most 100000 bytes", "cut", sha256=SHA256)
    assert files(tmp_path) == []
    server.script = [answer()]
    fails(server, tmp_path / "d", "announcement of 256000")


def test_a_wrong_file_that_is_there_stays(server, tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"mine")
    for known in ({"sha256": SHA256}, {"size": 5}):
        with pytest.raises(UserError, match="move it away"):
            download(server.url, path, **known)
    assert (path.read_bytes(), server.requests) == (b"mine", [])


def test_verify(tmp_path):
    (tmp_path / "a").write_bytes(CONTENT)
    verify(tmp_path / "a", sha256=SHA256, size=len(CONTENT))
    with pytest.raises(UserError, match="is SHA-256"):
        verify(tmp_path / "a", sha256_prefix="00")
    with pytest.raises(UserError, match="cannot be read"):
        verify(tmp_path / "b")


def test_a_disk_that_does_not_take_it(server, tmp_path, monkeypatch):
    server.script = [answer()]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="a place to write"):
        download(server.url, tmp_path / "file" / "file.bin")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module._Part, "append", full)
    fails(server, tmp_path / "a", "No space left", sha256=SHA256)
    assert len(server.requests) == 1
    assert files(tmp_path) == ["file"]


def test_interrupted_by_the_user(server, tmp_path, monkeypatch):
    server.script = [answer()]
    append = module._Part.append

    def interrupted(part, chunk):
        append(part, chunk)
        raise KeyboardInterrupt

    monkeypatch.setattr(module._Part, "append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download(server.url, tmp_path / "a", sha256=SHA256)
    monkeypatch.setattr(module._Part, "append", append)
    assert files(tmp_path) == ["a.part"]
    assert download(server.url, tmp_path / "a", sha256=SHA256).read_bytes() == CONTENT
    assert ranges(server)[1].startswith("bytes=")


@pytest.mark.slow
def test_two_processes_download_the_same_file(server, tmp_path):
    started = threading.Event()

    def slow(handler):
        started.set()
        time.sleep(1)
        answer()(handler)

    server.script = [slow]
    path = tmp_path / "file.bin"
    code = "import sys; from helpers.fetching.download import download; download(*sys.argv[1:3], sha256=sys.argv[3])"
    command = [sys.executable, "-c", code, server.url, str(path), SHA256]
    first = subprocess.Popen(command, cwd=ROOT)
    assert started.wait(20)
    second = subprocess.run(command, check=False, cwd=ROOT, timeout=20, capture_output=True, text=True)
    assert (first.wait(20), second.returncode) == (0, 0), second.stderr
    assert path.read_bytes() == CONTENT
    assert files(tmp_path) == ["file.bin"]
    assert len(server.requests) == 1

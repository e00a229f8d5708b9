"""Protects what happens before the first byte: which addresses are asked at all, where a server may redirect to, which
errors are worth another attempt, and that no answer can write to the terminal.

As in test_download.py the server is on the loopback address.
"""

import io
import time
import urllib.request

import pytest
from loopback_server import CONTENT, answer, fails, files, redirect, status

from helpers.base.errors import UserError
from helpers.fetching.download import download
from helpers.fetching.web import Failure, _Redirects


def test_http_errors(server, tmp_path):
    server.script = [status(404)]
    fails(server, tmp_path / "a", "HTTP 404", "browser", str(tmp_path / "a"), describe="the photos")
    assert len(server.requests) == 1  # asking again would not help
    server.requests.clear()
    server.script = [status(503), answer()]
    assert download(server.url, tmp_path / "b").read_bytes() == CONTENT
    server.script = [status(204)]
    fails(server, tmp_path / "c", "HTTP 204")


def test_a_server_cannot_write_to_the_terminal(server, tmp_path):
    server.script = [status(404, reason="\x1b]0;title\x07 a\x0bb\x85" + "x" * 1000)]
    assert len(fails(server, tmp_path / "a")) < 1000


def test_no_server(server, tmp_path):
    server.url = "http://127.0.0.1:1/file.bin"
    fails(server, tmp_path / "a", "Connection")


def test_silence_counts_as_a_break(server, tmp_path):
    server.script = [lambda handler: time.sleep(0.5), answer()]
    assert download(server.url, tmp_path / "a", timeout=0.1).read_bytes() == CONTENT


def test_redirects(server, tmp_path):
    server.script = [redirect("/elsewhere"), answer()]
    assert download(server.url, tmp_path / "a").read_bytes() == CONTENT
    server.script = [redirect("/file.bin")]
    fails(server, tmp_path / "b", "HTTP 302")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for to in (secret.as_uri(), "ftp://127.0.0.1/x", "data:,x", "http://user:word@127.0.0.1/", "http://[x/"):
        server.requests.clear()
        server.script = [redirect(to)]
        fails(server, tmp_path / "c")
        assert len(server.requests) == 1


def test_no_redirect_from_https_to_http():
    request = urllib.request.Request("https://example.org/a")
    with pytest.raises(Failure):
        _Redirects().redirect_request(request, io.BytesIO(), 302, "Found", {}, "http://example.org/b")
    assert _Redirects().redirect_request(request, None, 302, "Found", {}, "https://example.org/b").type == "https"


WRONG = ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "http:///x", "x", "", "http://[", "http://x:99999/"]


@pytest.mark.parametrize("url", [*WRONG, "http://user:word@127.0.0.1/", "http://x/a b", "http://x/\n", "http://x/\x1b"])
def test_addresses_that_are_none(url, tmp_path):
    with pytest.raises(UserError, match="an address that begins with http"):
        download(url, tmp_path / "a")
    assert files(tmp_path) == []

"""A web server on the loopback address whose answers a test writes down, the broken and hostile ones included."""

import contextlib
import hashlib
import http.server
import threading

import pytest

from helpers.base.errors import UserError
from helpers.fetching.download import download

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each request with the next function of `server.script`, the last one again and again."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.close_connection = True
        script = self.server.script
        answer = script[min(len(self.server.requests), len(script) - 1)]
        self.server.requests.append({"path": self.path, **self.headers})
        with contextlib.suppress(ConnectionError):  # the client may cut the connection
            answer(self)

    def head(self, code, headers=(), reason=None):
        self.send_response(code, reason)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve():
    """A server with `script`: functions of a `Handler`; `requests`: headers and path of each; `url`: of some file."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.requests, server.script = [], []
        server.url = f"http://127.0.0.1:{server.server_port}/file.bin"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def answer(content=CONTENT, break_after=None, ranges=True, etag=None, first=None):
    """An answer with `content`; it ends after `break_after` bytes; `first`: where it claims its range begins."""

    def send(handler):
        asked = handler.headers.get("Range")
        if handler.headers.get("If-Range") not in (None, etag):
            asked = None
        start = int(asked.removeprefix("bytes=").rstrip("-")) if ranges and asked else 0
        headers = {"Content-Length": len(content) - start}
        if etag:
            headers["ETag"] = etag
        if start:
            headers["Content-Range"] = f"bytes {start if first is None else first}-{len(content) - 1}/{len(content)}"
        handler.head(206 if start else 200, headers)
        handler.wfile.write(content[start : None if break_after is None else start + break_after])

    return send


def status(code, headers=(), reason=None):
    return lambda handler: handler.head(code, {"Content-Length": 0, **dict(headers)}, reason)


def redirect(to):
    return status(302, {"Location": to})


def chunked(content, whole=True, endless=False):
    """An answer that does not say how long it is, as archives packed on demand are sent."""

    def send(handler):
        handler.head(200, {"Transfer-Encoding": "chunked"})
        while True:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
            if not endless:
                break
        if whole:
            handler.wfile.write(b"0\r\n\r\n")

    return send


def ranges(server):
    return [request.get("Range") for request in server.requests]


def fails(server, path, *words, **known):
    """The download fails with one line that names the address and the words; the message."""
    with pytest.raises(UserError) as caught:
        download(server.url, path, **known)
    message = str(caught.value)
    assert server.url in message
    assert message.isprintable(), message
    for word in ("expected", "got", *words):
        assert word in message, message
    assert not path.exists()
    return message


def files(folder):
    return sorted(path.name for path in folder.iterdir())

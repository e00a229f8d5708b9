"""Asking a web server for a file or for the rest of one. Whatever it answers (length, range, redirect) is checked."""

import http.client
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

CHUNK = 2**16  # bytes
PASSING_TROUBLES = (408, 425, 429, 500, 502, 503, 504)  # HTTP codes that another attempt may fix
STRONG_TAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')  # the weak ones, W/"...", do not promise the same bytes
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15}|\*)")


class Failure(Exception):
    """An attempt that came to nothing: what was expected and what came, in words.

    again: another attempt may do better; start_over: what had come before is of no use.
    """

    def __init__(self, expected: str, came: str, again: bool = False, start_over: bool = False) -> None:
        super().__init__(expected, came)
        self.expected, self.came, self.again, self.start_over = expected, came, again, start_over


@dataclass(frozen=True)
class Answer:
    """start: the byte of the file at which the answer begins; total: bytes of the whole file, None if the server does
    not say; version: the server's name for this version of the file, or None; shows_breaks: the end can be told from
    a broken connection.
    """

    response: http.client.HTTPResponse
    start: int
    total: int | None
    version: str | None
    shows_breaks: bool

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()

    def chunks(self) -> Iterator[bytes]:
        """The bytes as they come.

        Raises:
            Failure: when the connection breaks in a way that http.client notices.
        """
        while True:
            try:
                chunk = self.response.read1(CHUNK)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise Failure("the rest of the file", f"{type(error).__name__}: {error}", again=True) from error
            if not chunk:
                return
            yield chunk


def ask(url: str, start: int, version: str | None, timeout: float) -> Answer:
    """Ask for a file from byte `start` on; returns an `Answer`, which may begin at 0 all the same.

    Args:
        version: as in an earlier answer; if the server has another one by now, it sends the whole file.

    Raises:
        Failure: for whatever goes wrong on the way and for answers that are not what was asked for.
    """
    headers = {"User-Agent": "fast-rcnn-scripts (Python urllib)", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if version:
            headers["If-Range"] = version
    try:
        response = _OPENER.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        too_far = error.code == 416 and start > 0  # the file has no byte `start`
        again = too_far or error.code in PASSING_TROUBLES
        raise Failure("HTTP 200", f"HTTP {error.code} {error.reason}", again, start_over=too_far) from error
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: an absurd address in a redirect
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        final = isinstance(reason, (ValueError, http.client.InvalidURL, ssl.SSLCertVerificationError))
        raise Failure("an answer", f"{type(reason).__name__}: {reason}", again=not final) from error
    try:
        return _checked(response, start)
    except Failure:
        response.close()
        raise


def _checked(response: http.client.HTTPResponse, start: int) -> Answer:
    tag = response.headers.get("ETag", "")
    version = tag if STRONG_TAG.fullmatch(tag) else None
    if response.status == 200:
        shows_breaks = response.chunked or response.length is not None
        return Answer(response, 0, response.length, version, shows_breaks)
    if response.status != 206 or not start:
        raise Failure("HTTP 200", f"HTTP {response.status}")
    content_range = response.headers.get("Content-Range", "").strip()
    match = CONTENT_RANGE.fullmatch(content_range)
    if match is None or int(match[1]) != start or int(match[2]) < start:
        expected = f"the bytes from {start} on"
        raise Failure(expected, f'those of Content-Range "{content_range}"', again=True, start_over=True)
    total = int(match[2]) + 1 if match[3] == "*" else int(match[3])
    return Answer(response, start, total, version, shows_breaks=True)


def is_web_address(url: str) -> bool:
    """http or https with a host, and without a user name and password, which messages would show."""
    try:
        parts = urllib.parse.urlsplit(url)
        if not url.isascii() or not url.isprintable() or " " in url:
            return False
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:
        return False


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects (ten at most), but never away from the web, nor from https to http."""

    def redirect_request(
        self, request: urllib.request.Request, file: Any, code: int, message: str, headers: Any, new_url: str
    ) -> urllib.request.Request | None:  # noqa: PLR0917 (urllib's own)
        if not is_web_address(new_url) or (request.type == "https" and not new_url.lower().startswith("https:")):
            file.close()
            raise Failure("a redirect to a web address as safe as this", f"one to {new_url}")
        return super().redirect_request(request, file, code, message, headers, new_url)


def _web_only_opener() -> urllib.request.OpenerDirector:
    """urllib's default opener also has handlers for files, ftp and data addresses; this one has none."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


_OPENER = _web_only_opener()

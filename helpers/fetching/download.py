"""Downloading one file so that a broken connection costs little and a wrong file never gets its final name.

What arrives grows in `NAME.part` beside the target and is renamed when its size and its hash are right.
"""

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout
from tqdm import tqdm

from helpers.base.errors import UserError
from helpers.fetching.web import CHUNK, Failure, ask, is_web_address

MAX_BYTES = 2**30  # of a file whose size is not known beforehand; the largest weights file is half as long
ATTEMPTS = 5
PAUSE = 0.5  # seconds before the second attempt, twice as long before each further one


def download(
    url: str,
    path: Path | str,
    *,
    sha256: str | None = None,
    sha256_prefix: str | None = None,
    md5: str | None = None,
    size: int | None = None,
    describe: str | None = None,
    timeout: float = 30,
    progress: bool = True,
) -> Path:
    """Download `url` to `path` unless the right file is there already; returns `path`.

    With a hash, `NAME.part` of an earlier run is continued. Without one it could be part of another version of the
    file, so only breaks within this run are continued, and only if the server names the version.

    Args:
        sha256: 64 hexadecimal digits.
        sha256_prefix: the first few, as torch has them in its file names (8 digits).
        md5: 32 digits, for files of which nothing better is known.
        size: bytes, without it a file may have MAX_BYTES.
        describe: what the file is, for messages.
        timeout: seconds without a byte after which a connection counts as broken.
        progress: a bar on stderr where that is a terminal.

    Raises:
        UserError: with what was expected, what came and what to do, for addresses other than http and https, when the
            server or the disk fails, and for a file, new or already there, of wrong size or hash.
    """
    path = Path(path)
    check = _check(sha256, sha256_prefix, md5, size)
    job = _Job(url, path, check, f"{describe or path.name} ({url})", timeout)
    if not is_web_address(url):
        raise job.error("an address that begins with http:// or https://", "another one", "correct the address")
    try:
        if not path.exists():  # asked before locking, so that a finished file may lie in a read-only folder
            path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(path):
                if not path.exists():  # another process may have finished it meanwhile
                    _fetch(job, progress)
                    return path
    except OSError as error:
        raise job.error("a place to write", error, "make room or give write access, then run this again") from error
    verify(path, sha256, sha256_prefix, size, md5)
    return path


def verify(
    path: Path | str,
    sha256: str | None = None,
    sha256_prefix: str | None = None,
    size: int | None = None,
    md5: str | None = None,
) -> None:
    """Raise `UserError` unless the file has this size in bytes and this SHA-256 (or one that begins so) or MD5."""
    check = _check(sha256, sha256_prefix, md5, size)
    try:
        with open(path, "rb") as file:
            trouble = check.trouble(os.fstat(file.fileno()).st_size, check.digest(file).hexdigest())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if trouble:
        raise UserError(f"{path}: expected {check.describe()}, is {trouble}; move it away and get it again")


def _check(sha256: str | None, sha256_prefix: str | None, md5: str | None, size: int | None) -> "_Check":
    known = sha256 or sha256_prefix
    return _Check("md5" if md5 and not known else "sha256", (known or md5 or "").lower(), size)


@dataclass(frozen=True)
class _Check:
    """What is known of a file beforehand: the hash of this kind or its beginning ("" if unknown), the bytes or None.

    An MD5 notices damage and other files. It does not notice a file that its own author made to match another one
    (collisions are cheap since 2004); to match somebody else's file is beyond anybody's means as of today.
    """

    algorithm: str
    hash: str
    size: int | None

    @property
    def limit(self) -> int:
        return MAX_BYTES if self.size is None else self.size

    def trouble(self, length: int, digest: str) -> str | None:
        """What is wrong with a file of this length and SHA-256, in words; None if nothing is."""
        if not length and self.size != 0:
            return "an empty file"
        if self.size not in (None, length):
            return f"{length} bytes"
        return None if digest.startswith(self.hash) else f"{self.name} {digest}"

    def digest(self, file: IO[bytes] | None = None) -> Any:
        """A hashlib object, of what is in the file from its position on."""
        digest = hashlib.new(self.algorithm, usedforsecurity=self.algorithm != "md5")
        while file and (chunk := file.read(CHUNK)):
            digest.update(chunk)
        return digest

    @property
    def name(self) -> str:
        return {"md5": "MD5", "sha256": "SHA-256"}[self.algorithm]

    def describe_size(self) -> str:
        return f"at most {MAX_BYTES} bytes" if self.size is None else f"{self.size} bytes"

    def describe(self) -> str:
        hash_in_words = f"{self.name} {self.hash}{'...' if len(self.hash) < 2 * self.digest().digest_size else ''}"
        if not self.hash:
            return self.describe_size()
        return hash_in_words if self.size is None else f"{self.size} bytes with {hash_in_words}"


@dataclass(frozen=True)
class _Job:
    url: str
    path: Path
    check: _Check
    description: str
    timeout: float

    def error(self, expected: str, came: object, action: str | None = None) -> UserError:
        """One line, whatever a server put into its answer: no line breaks, no control sequences for the terminal."""
        action = action or f"run this again later, or get the file with a browser and put it at {self.path}"
        text = f"{self.description}: expected {expected}, got {str(came)[:300]}; {action}"
        return UserError("".join(letter if letter.isprintable() else " " for letter in text))


class _Part:
    """The growing file, the hash of what is in it, and the version of the file that the server said it is."""

    def __init__(self, path: Path, check: _Check) -> None:
        self.check = check
        self.file = open(path, "a+b" if check.hash else "w+b")  # noqa: SIM115 (closed by _fetch)
        self.file.seek(0)
        self.digest = check.digest(self.file)
        self.length = self.file.tell()
        self.version: str | None = None  # the server's name for this version of the file

    def append(self, chunk: bytes) -> None:
        self.file.write(chunk)
        self.digest.update(chunk)
        self.length += len(chunk)

    def clear(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.digest, self.length, self.version = self.check.digest(), 0, None

    def trouble(self) -> str | None:
        return self.check.trouble(self.length, self.digest.hexdigest())


def _fetch(job: _Job, progress: bool) -> None:
    """Make `NAME.part` complete and give it its final name.

    Raises:
        UserError: where the file cannot be had, or is not the right one.
        OSError: from the disk.
    """
    part_path = job.path.with_name(job.path.name + ".part")
    part = _Part(part_path, job.check)
    try:
        with part.file, _progress_bar(job, progress) as bar:
            left_over = 0 < part.length < job.check.limit
            trouble = part.trouble() and _complete(job, part, bar)
            if trouble and left_over:  # what an earlier run left may be to blame: once more from the beginning
                part.clear()
                trouble = _complete(job, part, bar)
            if trouble:
                part.clear()
                raise job.error(job.check.describe(), trouble)
            part.file.flush()
            os.fsync(part.file.fileno())  # or a power cut may leave the final name on an empty file
        os.replace(part_path, job.path)
    finally:
        # after a break only a part that a hash will judge is worth keeping; after success it has its final name
        if not job.check.hash or not part.length:
            part_path.unlink(missing_ok=True)


def _progress_bar(job: _Job, progress: bool) -> tqdm:
    return tqdm(
        desc=job.path.name, total=job.check.size, unit="B", unit_scale=True, unit_divisor=1024,
        disable=None if progress else True,  # None: only where stderr is a terminal
    )  # fmt: skip


def _complete(job: _Job, part: _Part, bar: tqdm) -> str | None:
    """Attempt until the file is complete.

    Returns:
        What is wrong with it, or None.

    Raises:
        UserError: if all fail.
    """
    if part.length >= job.check.limit:
        part.clear()
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            _receive(job, part, bar)
            return part.trouble()
        except Failure as error:
            failure = error
            if failure.start_over:
                part.clear()
            if not failure.again:
                break
    raise job.error(failure.expected, failure.came)


def _receive(job: _Job, part: _Part, bar: tqdm) -> None:
    """One request: append what comes.

    Raises:
        Failure: unless the whole file has come.
    """
    check = job.check
    if part.length and not check.hash and not part.version:
        part.clear()  # the rest might come from another version of the file, and nothing would tell
    with ask(job.url, part.length, part.version, job.timeout) as answer:
        if answer.start == 0:
            part.clear()
            part.version = answer.version
        total = check.size if answer.total is None else answer.total
        if total is None and not answer.shows_breaks and not check.hash:
            raise Failure("an answer with its length", "one without, so that a break would not show")
        if total is not None and (total > check.limit or check.size not in (None, total)):
            raise Failure(check.describe_size(), f"the announcement of {total} bytes")
        bar.total, bar.n = total, part.length
        bar.refresh()
        for chunk in answer.chunks():
            if part.length + len(chunk) > check.limit:
                raise Failure(check.describe_size(), "more, so the connection was cut", start_over=True)
            part.append(chunk)
            bar.update(len(chunk))
    if total is not None and part.length != total:  # http.client ends such an answer as if it were complete
        came = f"{part.length} before the connection ended"
        raise Failure(f"{total} bytes", came, again=True, start_over=part.length > total)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Only one process at a time downloads to `path`; the others wait. The system frees the lock of a dead process."""
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"{path}: another process is downloading it, waiting for that one", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows removes no open file; there the lock removes its own
            os.unlink(lock.lock_file)
        lock.release()

"""Unpacking .zip, .tar, .tar.gz and .tar.bz2 files, or copying from a folder, without trusting what is inside.

An archive from somewhere else may name files outside the target, bring links that lead there, or unpack to more than
the disk holds. Nothing of `tarfile`'s or `zipfile`'s own extraction is used: members are listed, judged and copied
byte by byte into a temporary folder, which takes the place of the target at the end.
"""

import bz2
import contextlib
import gzip
import os
import re
import secrets
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from helpers.base.errors import UserError

MAX_BYTES = 2 * 2**30  # of all unpacked files together
MAX_FILES = 50_000  # members of an archive, wanted or not; PASCAL VOC 2007 has 10,945
MAX_DEPTH = 30  # folders in one another
CHUNK = 2**16  # bytes read at once
Wanted = Callable[[str], str | None]  # a member's name -> its name below the target
END_OF_ZIP, END_OF_ZIP64 = b"PK\x05\x06", b"PK\x06\x07"
RESERVED = re.compile(r"(con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³])(\..*)?", re.IGNORECASE)  # devices under Windows
BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, ValueError, RecursionError)


class _Refused(Exception):
    """Why an archive is not unpacked, in words."""


@dataclass(frozen=True)
class _Member:
    name: str
    trouble: str  # why it must not be unpacked, "" for a plain file
    open: Callable[[], Any]  # -> a binary file
    is_folder: bool = False


Members = Generator[_Member, None, None]


def extract(
    archive: Path, target: Path, wanted: Wanted | None = None, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES
) -> list[str]:
    """Unpack an archive, or copy from a folder, into the new folder `target`; returns the sorted names of its files.

    Args:
        wanted: function from a member's name ("/" between folders) to its name below `target`, or to None for a member
            that stays out; without it all keep their names.
        max_bytes: limit of what is unpacked, counted while it is read.
        max_files: limit of members, wanted or not.

    Raises:
        UserError: and leaves nothing behind, when `target` exists, when the archive is broken, of another kind or
            beyond the limits, when any name in it leads out of the target (absolute, "..", drive letter, backslash),
            and when a wanted member is a link, a device or encrypted, has a name that not every system can hold, or
            comes twice.
    """
    archive, target = Path(archive), Path(target)
    if os.path.lexists(target):
        raise UserError(f"{target}: exists already; move it away to unpack {archive.name} there")
    if archive.resolve() in target.resolve().parents:  # copying would find its own copies
        raise UserError(f"{archive}: {target} lies in it; name the folder of the data itself")
    temporary = target.with_name(f".{secrets.token_hex(4)}.tmp.{target.name}")
    try:
        temporary.mkdir(parents=True)
        with contextlib.closing(_members(archive, max_bytes, max_files)) as members:
            names = _write(members, temporary, wanted or str, max_bytes, max_files)
        if not names:
            raise _Refused("has no file of those wanted")
        os.rename(temporary, target)
    except _Refused as reason:
        raise UserError(f"{archive}: {reason}; nothing was unpacked") from reason
    except BROKEN as error:
        raise UserError(f"{archive}: broken or cut off ({_words(error)}); delete it and get it again") from error
    except (OSError, NotImplementedError) as error:
        raise UserError(f"{archive}: cannot be unpacked into {target} ({_words(error)})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return names


def _words(error: BaseException) -> str:
    """An error's text, which may quote the archive, in one line of harmless letters."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return ascii(text[:200])[1:-1]


def _write(members: Iterable[_Member], folder: Path, wanted: Wanted, max_bytes: int, max_files: int) -> list[str]:
    names, seen, room = [], set(), max_bytes
    for count, member in enumerate(members, 1):
        if count > max_files:
            raise _Refused(f"has more than {max_files} members")
        name = None if member.is_folder else wanted(member.name)
        if name is None:
            continue
        if member.trouble:
            raise _Refused(f"member {member.name[:200]!a} is {member.trouble}")
        name = _portable(name)
        if name.casefold() in seen:  # "A" and "a" are one file under Windows and macOS
            raise _Refused(f"member {name[:200]!a} comes twice")
        seen.add(name.casefold())
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with member.open() as source, open(path, "xb") as file:
            while chunk := source.read(CHUNK):
                room -= len(chunk)
                if room < 0:
                    raise _Refused(f"unpacks to more than {max_bytes} bytes")
                file.write(chunk)
        names.append(name)
    return sorted(names)


def _inside(name: str) -> str:
    """Refuse a name that leads out of the folder where it is unpacked, on whatever system."""
    if name.startswith("/") or "\\" in name or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
        raise _Refused(f"member {name[:200]!a} leads out of the target")
    return name


def _portable(name: str) -> str:
    """The name without "." and "//", or `_Refused` if some file system understands it in another way."""
    parts = [part for part in _inside(name).split("/") if part not in ("", ".")]
    for part in parts:
        if not part.isprintable() or re.search(r'[<>:"|?*]', part) or part[-1] in ". " or RESERVED.fullmatch(part):
            raise _Refused(f"member {name[:200]!a} has a name that not every system can hold")
    if not 0 < len(parts) <= MAX_DEPTH:
        raise _Refused(f"member {name[:200]!a} has no name, or lies more than {MAX_DEPTH} folders deep")
    return "/".join(parts)


def _members(archive: Path, max_bytes: int, max_files: int) -> Members:
    """The members of whatever `archive` is, told by its first bytes: browsers change suffixes."""
    if archive.is_dir():
        yield from _folder_members(archive)
        return
    with open(archive, "rb") as file:
        start = file.read(512)
        file.seek(0)
        if start.startswith((b"PK\x03\x04", END_OF_ZIP)):
            yield from _zip_members(file, max_files)
        elif start.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=file) as stream:
                yield from _tar_members(stream, max_bytes, max_files)
        elif start.startswith(b"BZh"):
            with bz2.BZ2File(file) as stream:
                yield from _tar_members(stream, max_bytes, max_files)
        elif start[257:262] == b"ustar":
            yield from _tar_members(file, max_bytes, max_files)
        else:
            raise _Refused("is not a .zip, .tar, .tar.gz or .tar.bz2 file")


def _folder_members(folder: Path) -> Members:
    def stop(error: OSError) -> None:  # os.walk would pass over a folder that cannot be read
        raise error

    for where, folders, files in os.walk(folder, onerror=stop):
        folders.sort()
        for file in sorted(files):
            path = Path(where, file)
            trouble = "" if stat.S_ISREG(path.lstat().st_mode) else "a link or a device"
            yield _Member(path.relative_to(folder).as_posix(), trouble, partial(open, path, "rb"))


def _zip_members(file: IO[bytes], max_files: int) -> Members:
    _check_directory_of_zip(file, max_files)
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive comes from a system without such kinds
            trouble = ""
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                trouble = "a link or a device"
            elif info.flag_bits & 0x1:
                trouble = "encrypted"
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                trouble = "compressed in another way than deflate"  # the others unpack without bounds into the memory
            yield _Member(_inside(info.filename), trouble, partial(archive.open, info), info.is_dir())


def _check_directory_of_zip(file: IO[bytes], max_files: int) -> None:
    """Refuse a list of members that is too long to be read: `zipfile` reads it all at once, whatever its length."""
    length = file.seek(0, os.SEEK_END)
    file.seek(max(0, length - 2**16 - 22 - 20))
    tail = file.read()
    file.seek(0)
    # as zipfile looks for the end record: without a comment, else the last signature in reach of a comment
    without_comment = tail[-22:-18] == END_OF_ZIP and tail[-2:] == b"\0\0"
    end = len(tail) - 22 if without_comment else tail.rfind(END_OF_ZIP)
    if end < 0 or len(tail) < end + 22:
        raise zipfile.BadZipFile("no list of members at its end")
    if tail[max(0, end - 20) : end].startswith(END_OF_ZIP64):
        raise _Refused("is of the kind for more than 65,535 members or 4 GB")
    if int.from_bytes(tail[end + 12 : end + 16], "little") > max_files * 256 + 2**16:  # 46 bytes and its name each
        raise _Refused(f"has more than {max_files} members, or very long names")


class _CarefulStream:
    """The unpacked bytes of a .tar file, forward only, up to a limit, and never many at once.

    `tarfile` reads headers as long as they say they are and passes over members of any length; in a compressed file
    both cost an attacker nothing.
    """

    def __init__(self, stream: Any, limit: int) -> None:
        self.stream, self.limit, self.last = stream, limit, b""

    def tell(self) -> int:
        return self.stream.tell()

    def seek(self, position: int) -> int:
        if position < self.tell():
            raise tarfile.ReadError("a member of negative length")
        self._check(position)
        return self.stream.seek(position)

    def read(self, size: int) -> bytes:
        if not 0 <= size <= 2**18:  # tarfile reads contents in pieces of at most 2**17
            raise tarfile.ReadError("a header of absurd length")
        self._check(self.tell() + size)
        self.last = self.stream.read(size)
        return self.last

    def _check(self, position: int) -> None:
        if position > self.limit:
            raise _Refused(f"unpacks to more than {self.limit} bytes, headers included")


def _tar_members(stream: Any, max_bytes: int, max_files: int) -> Members:
    careful = _CarefulStream(stream, max_bytes + 4096 * max_files + 2**20)  # room for headers and padding
    with tarfile.open(fileobj=cast(IO[bytes], careful), mode="r:") as archive:
        while info := archive.next():
            trouble = ""
            if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or info.sparse is not None:
                trouble = "a link, a device or sparse"
            yield _Member(_inside(info.name), trouble, partial(archive.extractfile, info), info.isdir())
            archive.members.clear()  # type: ignore[attr-defined] # headers may be long, and tarfile keeps all
            if len(archive.pax_headers) > 100:  # the same, with those for the whole archive
                raise tarfile.ReadError("absurd headers")
    if careful.last != bytes(tarfile.BLOCKSIZE):  # tarfile takes a cut between two members for the end
        raise tarfile.ReadError("no mark at its end")
    while careful.read(CHUNK):  # the check sum of a compressed file is only looked at when its end is reached
        pass

"""Protects unpacking: whatever an archive contains, nothing is written outside the target, no link or device is made,
no more is unpacked than allowed, and what fails leaves nothing behind.

The hostile archives are made here, byte by byte where the standard library would not write them.
"""

import bz2
import gzip
import os
import shutil
import stat
import tarfile
import zipfile

import pytest

from helpers.base.errors import UserError
from helpers.fetching.archives import extract

FILES = {"top.txt": b"1", "data/grocery/positive/0.jpg": b"2" * 100_000, "data/grocery/empty.tsv": b""}
OUTSIDE = ["../x", "a/../../x", "/x", "//x", "C:/x", "c:x", "..\\x", "\\x", "a\\..\\..\\x", "a/.."]
NOT_PORTABLE = ["sub/a:b", "sub/AUX.txt", "a.", "a /b", "a\nb", "a\x1b[2Jb", "x" * 300, "a/" * 40 + "b", "a?", "./."]
SUFFIXES = [".zip", ".tar", ".tar.gz", ".tar.bz2"]


def tar_entry(name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def write_zip(path, files, mode=0, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return path


def write(path, files):
    """An archive of the kind that the suffix says."""
    if path.suffix == ".zip":
        return write_zip(path, files)
    content = b"".join(tar_entry(name, content) for name, content in files.items()) + bytes(1024)
    return compress(path, content)


def compress(path, content):
    path.write_bytes({".gz": gzip.compress, ".bz2": bz2.compress}.get(path.suffix, bytes)(content))
    return path


def refuses(archive, *words, **options):
    """Unpacking fails with one line that names the archive and the words, and leaves nothing behind."""
    before = sorted(archive.parent.rglob("*"))
    target = archive.parent / "target"
    with pytest.raises(UserError) as caught:
        extract(archive, target, **options)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 1000
    for word in (str(archive), *words):
        assert word in message, message
    assert sorted(archive.parent.rglob("*")) == before


def unpacked(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_everything(tmp_path, suffix):
    archive = write(tmp_path / f"a{suffix}", FILES)
    target = tmp_path / "new" / "target"
    assert extract(archive, target) == sorted(FILES)
    assert unpacked(target) == FILES
    assert os.listdir(tmp_path / "new") == ["target"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o777 & ~umask  # as any new folder, not only for its owner
    suffixless = archive.rename(tmp_path / "download")  # the content tells the kind
    assert extract(suffixless, tmp_path / "again") == sorted(FILES)


def test_archives_of_the_standard_library(tmp_path):
    """With entries for folders, which tools write and this test's own writer does not."""
    extract(write(tmp_path / "a.zip", FILES), tmp_path / "source")
    for kind in ("zip", "tar", "gztar", "bztar"):
        archive = shutil.make_archive(tmp_path / kind, kind, tmp_path / "source")
        assert extract(archive, tmp_path / f"target-{kind}") == sorted(FILES)
    for tar_format in (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        with tarfile.open(tmp_path / "b.tar", "w", format=tar_format) as archive:
            archive.add(tmp_path / "source", "root/" + "long" * 20)
        assert len(extract(tmp_path / "b.tar", tmp_path / f"target{tar_format}")) == len(FILES)


def test_a_folder(tmp_path):
    source = tmp_path / "source"
    extract(write(tmp_path / "a.zip", FILES), source)
    assert extract(source, tmp_path / "target") == sorted(FILES)
    assert unpacked(tmp_path / "target") == unpacked(source) == FILES
    with pytest.raises(UserError, match="lies in it"):
        extract(source, source / "copy")
    (source / "link").symlink_to(source / "top.txt")
    with pytest.raises(UserError, match="'link' is a link"):
        extract(source, tmp_path / "other")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_only_what_is_wanted(tmp_path, suffix):
    def wanted(name):
        return name.replace("data/grocery/", "") if name.startswith("data/") else None

    archive = write(tmp_path / f"a{suffix}", FILES)
    assert extract(archive, tmp_path / "target", wanted) == ["empty.tsv", "positive/0.jpg"]
    assert unpacked(tmp_path / "target")["positive/0.jpg"] == FILES["data/grocery/positive/0.jpg"]
    (tmp_path / "target").rename(tmp_path / "first")
    refuses(archive, "no file of those wanted", wanted=lambda name: None)
    refuses(archive, "leads out", wanted=lambda name: f"../{name}")


@pytest.mark.parametrize("suffix", SUFFIXES[:2])
@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_out(tmp_path, name, suffix):
    archive = write(tmp_path / f"a{suffix}", {"good": b"", name: b"evil"})
    refuses(archive, "leads out of the target")
    refuses(archive, "leads out of the target", wanted={"good": "good"}.get)  # such an archive is not used at all


@pytest.mark.parametrize("suffix", SUFFIXES[:2])
@pytest.mark.parametrize("name", NOT_PORTABLE)
def test_names_that_not_every_system_can_hold(tmp_path, name, suffix):
    archive = write(tmp_path / f"a{suffix}", {"good": b"", name: b""})
    refuses(archive)
    extract(archive, tmp_path / "target", {"good": "good"}.get)


@pytest.mark.parametrize("suffix", SUFFIXES[:2])
def test_one_name_twice(tmp_path, suffix):
    refuses(write(tmp_path / f"a{suffix}", {"a/b": b"1", "A/./B": b"2"}), "twice")
    refuses(write(tmp_path / f"b{suffix}", {"a": b"1", "a/b": b"2"}))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE]
)
def test_links_and_devices_in_tar(tmp_path, kind):
    content = tar_entry("good", b"1") + tar_entry("bad", type=kind, linkname="/etc/passwd") + bytes(1024)
    archive = compress(tmp_path / "a.tar", content)
    refuses(archive, "'bad'", "link")
    assert extract(archive, tmp_path / "target", {"good": "good"}.get) == ["good"]  # others may stay out


def test_writing_through_a_link(tmp_path):
    content = tar_entry("a", type=tarfile.SYMTYPE, linkname="..") + tar_entry("a/x", b"evil") + bytes(1024)
    refuses(compress(tmp_path / "a.tar", content), "link")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_zip(tmp_path, kind):
    refuses(write_zip(tmp_path / "a.zip", {"bad": b"/etc/passwd"}, mode=kind | 0o777), "'bad'", "link")


def test_sparse_files(tmp_path):
    name = b"GNU.sparse.major=1\n"
    pax = b"".join(b"%d %s" % (len(name) + 3, line) for line in (name, name.replace(b"major=1", b"minor=0")))
    header = tar_entry("pax", pax, type=tarfile.XHDTYPE)
    refuses(compress(tmp_path / "a.tar", header + tar_entry("bad", b"0\n".ljust(512, b"\0")) + bytes(1024)), "sparse")


def test_encrypted(tmp_path):
    archive = write_zip(tmp_path / "a.zip", {"bad": b"1"})
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    archive.write_bytes(content)
    refuses(archive, "encrypted")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_unpack_without_bounds(tmp_path, compression):
    refuses(write_zip(tmp_path / "a.zip", {"bad": b"1"}, compression=compression), "deflate")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_too_many_bytes(tmp_path, suffix):
    archive = write(tmp_path / f"a{suffix}", {"a": bytes(600_000), "b": bytes(600_000)})
    refuses(archive, "more than 1000000 bytes", max_bytes=1_000_000)
    extract(archive, tmp_path / "target", max_bytes=1_200_000)


def test_a_size_that_is_a_lie(tmp_path):
    archive = write_zip(tmp_path / "a.zip", {"bad": bytes(10**6)})
    content = archive.read_bytes().replace((10**6).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    archive.write_bytes(content)
    refuses(archive, max_bytes=1000)


def test_unpacking_what_is_passed_over(tmp_path):
    """In a compressed tar, what is not wanted has to be unpacked as well."""
    archive = write(tmp_path / "a.tar.gz", {"huge": bytes(30 * 2**20), "good": b"1"})
    refuses(archive, "headers included", wanted={"good": "good"}.get, max_bytes=1000, max_files=10)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_too_many_members(tmp_path, suffix):
    archive = write(tmp_path / f"a{suffix}", {f"{number}": b"" for number in range(11)})
    refuses(archive, "more than 10 members", max_files=10)
    refuses(archive, "more than 10 members", max_files=10, wanted={"1": "1"}.get)
    assert len(extract(archive, tmp_path / "target", max_files=11)) == 11


@pytest.mark.parametrize(
    "content",
    [
        tar_entry("pax", bytes(2**19), type=tarfile.XHDTYPE),
        tar_entry("name", size=2**40, type=tarfile.GNUTYPE_LONGNAME),
        tar_entry("pax", b"30 mtime=1350244992.023960108\n", type=tarfile.XHDTYPE) * 3000,
        tar_entry("bad", size=-512),
        tar_entry("bad", size=-(2**60)),
        tar_entry("bad", size=2**60),
        tar_entry("pax", b"17 size=-1000000\n", type=tarfile.XHDTYPE) + tar_entry("bad"),
        b"".join(tar_entry("pax", b"16 key%04d=abcd\n" % n, type=tarfile.XGLTYPE) + tar_entry("x") for n in range(200)),
    ],
    ids=["long pax", "absurd name", "chain", "back", "far back", "far on", "back by pax", "global"],
)
def test_absurd_tar_headers(tmp_path, content):
    archive = compress(tmp_path / "a.tar", tar_entry("good", b"1") + content + tar_entry("more", b"1") + bytes(1024))
    refuses(archive)
    refuses(archive, wanted={"good": "good"}.get)


def test_a_zip_with_an_absurd_list_of_members(tmp_path):
    archive = write_zip(tmp_path / "a.zip", {"a": b"1"})
    content = archive.read_bytes()
    end = content.index(b"PK\x05\x06")
    long = content[: end + 12] + (2**31).to_bytes(4, "little") + content[end + 16 :]
    archive.write_bytes(long)
    refuses(archive, "members")
    archive.write_bytes(long[:-2] + b"\x05\0hello")  # with a comment behind
    refuses(archive, "members")
    archive.write_bytes(content[:end] + b"PK\x06\x07" + bytes(16) + content[end:])
    refuses(archive, "65,535")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kept", [0.3, 0.9, 0.99])
def test_cut_off(tmp_path, suffix, kept):
    files = {f"{number}": os.urandom(2000) for number in range(20)}
    archive = write(tmp_path / f"a{suffix}", files)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * kept)])
    refuses(archive)


def test_cut_off_between_two_members(tmp_path):
    for suffix in SUFFIXES[1:]:
        refuses(compress(tmp_path / f"a{suffix}", tar_entry("a", b"1") + tar_entry("b", b"1")), "cut off")


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.bz2"])
def test_damaged(tmp_path, suffix):
    archive = write(tmp_path / f"a{suffix}", {"a": os.urandom(100_000)})
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    refuses(archive)


def test_other_files(tmp_path):
    for content in (b"", b"hello", b"PK\x03\x04", b"\x1f\x8b", b"BZh", bytes(2000)):
        (tmp_path / "a").write_bytes(content)
        refuses(tmp_path / "a")
    with pytest.raises(UserError, match="No such file"):
        extract(tmp_path / "missing", tmp_path / "target")


def test_a_target_that_exists_stays(tmp_path):
    archive = write(tmp_path / "a.zip", FILES)
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "mine").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        extract(archive, tmp_path / "target")
    assert unpacked(tmp_path / "target") == {"mine": b"mine"}


def test_interrupted_by_the_user(tmp_path):
    def wanted(name):
        if name != "top.txt":
            raise KeyboardInterrupt
        return name

    with pytest.raises(KeyboardInterrupt):
        extract(write(tmp_path / "a.zip", FILES), tmp_path / "target", wanted)
    assert os.listdir(tmp_path) == ["a.zip"]

"""What tools/getData.py takes from the network or the disk: archives and published ROIs. Nothing is written but the
known files at their place, and nothing at all where something is wrong.
"""

import io
import tarfile
import zlib

import numpy as np

from fuzzing.base import grocery, write_archive
from fuzzing.mutation import Mutation, mutate_bytes
from fuzzing.trials import CLEAN, RIGHT, Kind, Wrong

NAMES = (
    "../outside", "/tmp/outside", "positive/../../../outside", "C:\\outside", "positive\\0.jpg", "", ".", "con", "a\0b",
    "positive/0.jpg/inside", "POSITIVE/0.jpg", "x" * 300, "a\nb\x1b[2J", "é", "positive/0.jpg",
)  # fmt: skip


def _another_archive(kind, random):
    """An archive made anew, with something in it that does not belong there."""
    files, _ = grocery()
    name = random.choice(list(files))
    what = random.choice(("more", "dropped", "other content", "renamed", "link", "device", "size", "bomb", "encrypted"))
    if what in ("link", "device", "size") and kind != "zip":
        return Mutation(_hostile_tar(kind, files, name, what, random), what)
    if what == "dropped":
        del files[name]
    elif what == "renamed":
        files[random.choice(NAMES)] = files.pop(name)
    elif what == "bomb":
        files[name] = bytes(400_000_000)
    elif what == "more":
        files[random.choice(NAMES)] = b"more"
    elif what == "other content":
        files[name] = random.choice((b"", files[name] + b"\0", files[name].replace(b"\n", b"\r\n")))
    prefix = random.choice(("x/grocery/", "", "grocery/", "../grocery/"))
    try:
        data = write_archive(kind, files, prefix)
    except ValueError:  # a name that no archive holds
        return Mutation(b"", "empty")
    if what in ("encrypted", "size") and kind == "zip":
        data = _forged_zip(data, what)
    return Mutation(data, f"{what}, below {prefix!r}")


def _hostile_tar(kind, files, name, what, random):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:" + kind.partition(".")[2]) as archive:
        for file, content in files.items():
            info = tarfile.TarInfo(f"x/grocery/{file}")
            info.size = len(content)
            if file == name and what == "link":
                info.type, info.size = random.choice((tarfile.SYMTYPE, tarfile.LNKTYPE)), 0
                info.linkname = random.choice(("/etc/passwd", "../../../outside", "x/grocery/positive/0.jpg"))
            elif file == name and what == "device":
                info.type, info.size = random.choice((tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE)), 0
            archive.addfile(info, io.BytesIO(content) if info.size else None)
    data = bytearray(buffer.getvalue())
    if what == "size" and kind == "tar":
        data[124:135] = random.choice((b"77777777777", b"-0000000001", b"00000000000"))
        head = data[:512]
        head[148:156] = b" " * 8
        data[148:156] = b"%06o\0 " % sum(head)
    return bytes(data)


def _forged_zip(data, what):
    """Flags and sizes in the directory that do not belong to the members."""
    changed = bytearray(data)
    place = changed.find(b"PK\x01\x02")
    if what == "encrypted":
        changed[place + 8] |= 1
    else:
        changed[place + 24 : place + 28] = b"\xff\xff\xff\x7f"
    return bytes(changed)


def _archive(trial):
    from helpers.fetching import public_data

    random = trial.random
    files, public_data.GROCERY_SHA256 = grocery()
    kind = random.choice(("zip", "tar", "tar.gz", "tar.bz2"))
    data = (trial.base / "archives" / f"grocery.{kind}").read_bytes()
    mutation = _another_archive(kind, random) if random.random() < 0.5 else mutate_bytes(data, random)
    folder = trial.folder / "in"
    folder.mkdir()
    path = folder / f"grocery.{kind}"
    path.write_bytes(mutation.data)
    trial.done.append(f"{path.name}: {mutation.text}")
    root = trial.folder / "below" / "data"
    ended = trial.run("tools/getData.py", "grocery", "--from", path, "--set", f"dataRootDir={root}")
    found = {item.relative_to(root).as_posix(): item for item in root.rglob("*") if not item.is_dir()}
    others = list(trial.folder.rglob("outside*"))
    if others:
        raise Wrong(f"unpacked {others[0]}, outside of its place")
    if ended.code:
        if found:
            raise Wrong(f"left {next(iter(found))} behind after an error")
        return CLEAN
    plain = {name.removeprefix("grocery/"): item.read_bytes() for name, item in found.items()}
    as_known = {name: content.replace(b"\r\n", b"\n") for name, content in plain.items()}
    if as_known != files:
        raise Wrong(f"has other files than the known ones: {sorted(as_known.keys() ^ files.keys())[:3]}")
    return RIGHT


def _matlab(trial):
    from helpers.base.errors import UserError
    from helpers.fetching.published_rois import PublishedRois

    random = trial.random
    path = trial.folder / "voc_2007_test.mat"
    data = (trial.base / "matlab" / random.choice(("plain.mat", "plain.mat", "compressed.mat"))).read_bytes()
    if random.random() < 0.3:  # inside of what is compressed, with a checksum that fits
        plain = mutate_bytes(data[136:], random).data
        packed = zlib.compress(plain)
        mutation = Mutation(data[:128] + b"\x0f\0\0\0" + len(packed).to_bytes(4, "little") + packed, "packed again")
    else:
        mutation = mutate_bytes(data, random)
    path.write_bytes(mutation.data)
    trial.done.append(f"{path.name}: {mutation.text}")
    try:
        published = PublishedRois(path)
    except UserError as error:
        if not str(error).isprintable() or str(path) not in str(error):
            raise Wrong(f"an error that does not name the file in one line: {error!r}") from None
        return CLEAN
    for name in published.names:
        boxes = published[name]
        if boxes.ndim != 2 or not np.isfinite(boxes).all() or (boxes[:, 2:] < boxes[:, :2]).any():
            raise Wrong(f"has boxes that are none, of {name}")
    _require_as_scipy_reads(path, published)
    return RIGHT


def _require_as_scipy_reads(path, published):
    """Compare with scipy's reader, where that reads the file at all."""
    from scipy.io import loadmat

    try:
        content = loadmat(path)
        names = [str(cell.item()) for cell in content["images"].ravel()]
        boxes = [np.asarray(cell, float).reshape(-1, 4) for cell in content["boxes"].ravel()]
    except Exception:  # a reader that is not the subject here: whatever it stumbles over says nothing of ours
        return
    for name, wanted in zip(names, boxes, strict=False):
        wanted = wanted[:, (1, 0, 3, 2)] - (1, 1, 0, 0)
        if name not in published or not np.allclose(published[name], wanted.astype(np.float32)):
            raise Wrong(f"other boxes of {name} than scipy reads")


DOWNLOAD_KINDS = [Kind("archives", _archive), Kind("matlab", _matlab)]

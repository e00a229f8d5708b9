"""Protects tools/getData.py from end to end: what arrives is the known data at its place, complete or not at all,
nothing of the user's is overwritten or deleted, and taking it from the disk checks the same things as the network.

The network is a server on the loopback address that has small stand-ins for the archives, with hashes to match; the
real photos are only looked at where a copy of them lies beside the repository.
"""

import importlib
import io
import re
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import getData
import pytest
from fetched_files import left_in, read, sha256, write
from loopback_server import answer, chunked, status

from fastRCNN.backbones import BACKBONES
from helpers.base.errors import UserError
from helpers.fetching import download, public_data
from helpers.fetching.public_data import GROCERY_FILES, grocery_member, grocery_trouble, voc_member
from pipeline.parameters import load_parameters

REAL_PHOTOS = Path(__file__).resolve().parents[4] / "shared" / "data" / "grocery"
GROCERY = {name: f"content of {name}\n".encode() for name in GROCERY_FILES}
VOC_PARTS = {"trainval": ("000001", "000002"), "test": ("000003",)}


@pytest.fixture
def params(tmp_path):
    return load_parameters([f"dataRootDir={tmp_path / 'data'}", "network=squeezenet1_1"])


def zip_of(files, root="ObjectDetectionUsingCntk-master/data/grocery/"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("ObjectDetectionUsingCntk-master/README.md", "of the tutorial")
        for name, content in files.items():
            archive.writestr(root + name, content)
    return buffer.getvalue()


@pytest.fixture
def grocery(server, monkeypatch):
    """The server has the stand-in for the tutorial's archive."""
    rows = "".join(f"{sha256(content)}  {name}\n" for name, content in sorted(GROCERY.items()))
    monkeypatch.setattr(public_data, "GROCERY_SHA256", sha256(rows.encode()))
    monkeypatch.setattr(public_data, "GROCERY_URL", server.url)
    server.script = [chunked(zip_of(GROCERY | {"notes.txt": b"not wanted"}))]
    return server


def test_grocery_from_the_network(grocery, params, capsys):
    target = getData.main(params, "grocery")
    assert target == params.image_dir.parent / "grocery"
    assert read(target) == GROCERY
    assert left_in(target.parent) == ["downloads", "grocery"]
    assert left_in(target.parent / "downloads") == ["ObjectDetectionUsingCntk-master.zip"]
    (target / "positive" / "mine.jpg").write_bytes(b"mine")
    for force in (False, True):
        getData.main(params, "grocery", force=force)
        assert "already there" in capsys.readouterr().out
    assert (len(grocery.requests), (target / "positive" / "mine.jpg").exists()) == (1, True)


def test_grocery_after_breaks(grocery, params):
    content = zip_of(GROCERY)
    cut = answer(content, break_after=1000, ranges=False)
    grocery.script = [cut] * download.ATTEMPTS + [answer(content, ranges=False)]
    with pytest.raises(UserError, match="connection ended"):
        getData.main(params, "grocery")
    assert left_in(Path(params.dataRootDir)) == ["downloads"]
    assert left_in(Path(params.dataRootDir, "downloads")) == []
    assert read(getData.main(params, "grocery")) == GROCERY


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (GROCERY | {"positive/0.jpg": b"other"}, "not the original's.*delete it"),
        ({name: GROCERY[name] for name in GROCERY_FILES[1:]}, "1 of 80 files are missing, such as negative/1.jpg"),
        ({}, "no file of those wanted"),
        (GROCERY | {"../../../../evil": b""}, "leads out of the target"),
        (GROCERY | {"x/grocery/positive/0.jpg": b""}, "twice"),
    ],
)
def test_grocery_that_is_something_else(grocery, params, tmp_path, files, words):
    grocery.script = [answer(zip_of(files))]
    with pytest.raises(UserError, match=words):
        getData.main(params, "grocery")
    assert (left_in(tmp_path), left_in(tmp_path / "data")) == (["data"], ["downloads"])


def test_no_network(grocery, params):
    grocery.script = [status(404)]
    with pytest.raises(UserError, match=r"404.*browser.*downloads.ObjectDetectionUsingCntk-master\.zip"):
        getData.main(params, "grocery")


@pytest.mark.parametrize("root", ["", "grocery/", "copy/data/grocery/"])
def test_grocery_from_the_disk(grocery, params, tmp_path, root):
    write(tmp_path / "folder" / root, GROCERY)
    (tmp_path / "a.zip").write_bytes(zip_of(GROCERY, root))
    for number, source in enumerate(("folder", "a.zip")):
        other = params.replace(dataRootDir=str(tmp_path / f"data{number}"))
        assert read(getData.main(other, "grocery", source=str(tmp_path / source))) == GROCERY
        assert left_in(tmp_path / f"data{number}") == ["grocery"]
    assert grocery.requests == []
    with pytest.raises(UserError, match="no such file or folder"):
        getData.main(params, "grocery", source=tmp_path / "missing")


def test_windows_line_ends_are_no_difference(grocery, params, tmp_path):
    windows = {name: content.replace(b"\n", b"\r\n") for name, content in GROCERY.items() if name.endswith(".tsv")}
    assert getData.main(params, "grocery", source=write(tmp_path / "folder", GROCERY | windows))


def test_something_else_at_its_place(grocery, params):
    target = write(Path(params.dataRootDir, "grocery"), {"positive/0.jpg": b"mine"})
    with pytest.raises(UserError, match="79 of 80 files are missing.*--force"):
        getData.main(params, "grocery")
    assert (read(target), grocery.requests) == ({"positive/0.jpg": b"mine"}, [])
    assert read(getData.main(params, "grocery", force=True)) == GROCERY
    assert read(target.with_name("grocery.old")) == {"positive/0.jpg": b"mine"}
    (target / "positive" / "0.jpg").write_bytes(b"mine again")
    getData.main(params, "grocery", force=True)
    assert left_in(target.parent) == ["downloads", "grocery", "grocery.old", "grocery.old2"]


@pytest.mark.skipif(not REAL_PHOTOS.is_dir(), reason="needs the original photos in ../shared/data/grocery")
def test_the_fingerprint_is_that_of_the_original():
    assert len(GROCERY_FILES) == 80
    assert grocery_trouble(REAL_PHOTOS) is None


def voc_files(part):
    files = {f"ImageSets/Main/{part}.txt": "".join(f"{name}\n" for name in VOC_PARTS[part]).encode()}
    for name in VOC_PARTS[part]:
        files |= {f"Annotations/{name}.xml": f"<{name}>".encode(), f"JPEGImages/{name}.jpg": name.encode()}
    return files


VOC = voc_files("trainval") | voc_files("test")


@pytest.fixture
def voc(server, monkeypatch):
    """The server has stand-ins for both archives; returns them by name."""
    archives = {}
    for name, part in zip(public_data.VOC_ARCHIVES, VOC_PARTS, strict=True):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for file, content in (voc_files(part) | {"SegmentationClass/000001.png": b"not wanted"}).items():
                info = tarfile.TarInfo(f"VOCdevkit/VOC2007/{file}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        archives[name] = buffer.getvalue()
    known = {name: (len(content), sha256(content)) for name, content in archives.items()}
    monkeypatch.setattr(public_data, "VOC_ARCHIVES", known)
    monkeypatch.setattr(public_data, "VOC_URL", server.url.replace("file.bin", ""))
    server.script = [lambda handler: answer(archives[handler.path[1:]])(handler)]
    return SimpleNamespace(server=server, archives=archives)


def test_voc_from_the_network(voc, params):
    target = getData.main(params, "pascalVoc")
    assert target == Path(params.dataRootDir, "VOCdevkit", "VOC2007")
    assert read(target) == VOC
    assert left_in(target.parent) == ["VOC2007"]
    getData.main(params, "pascalVoc")
    assert len(voc.server.requests) == 2


def test_voc_with_a_break(voc, params):
    last = answer(voc.archives["VOCtest_06-Nov-2007.tar"], break_after=1000)
    voc.server.script = [voc.server.script[0], *[last] * download.ATTEMPTS]
    with pytest.raises(UserError, match="connection ended"):
        getData.main(params, "pascalVoc")
    assert left_in(Path(params.dataRootDir)) == ["downloads"]
    voc.server.script = [answer(voc.archives["VOCtest_06-Nov-2007.tar"])]
    voc.server.requests.clear()
    assert read(getData.main(params, "pascalVoc")) == VOC
    assert [request.get("Range") for request in voc.server.requests] == ["bytes=5000-"]


def test_voc_from_the_disk(voc, params, tmp_path):
    sources = write(tmp_path / "archives", voc.archives), write(tmp_path / "x" / "VOCdevkit" / "VOC2007", VOC)
    for number, source in enumerate((*sources, sources[1].parent, tmp_path / "x")):
        other = params.replace(dataRootDir=str(tmp_path / f"data{number}"))
        assert read(getData.main(other, "pascalVoc", source=source)) == VOC
    with pytest.raises(UserError, match="test.txt is missing"):
        getData.main(params, "pascalVoc", source=sources[0] / "VOCtrainval_06-Nov-2007.tar")
    (sources[1] / "JPEGImages" / "000002.jpg").unlink()
    with pytest.raises(UserError, match=r"000002\.jpg is missing"):
        getData.main(params, "pascalVoc", source=sources[1])
    (sources[0] / "VOCtest_06-Nov-2007.tar").write_bytes(b"other")
    with pytest.raises(UserError, match="SHA-256"):
        getData.main(params, "pascalVoc", source=sources[0])
    assert not Path(params.dataRootDir, "VOCdevkit", "VOC2007").exists()


def test_a_list_of_images_cannot_write_to_the_terminal(params, tmp_path):
    files = VOC | {"ImageSets/Main/test.txt": b"000003\n\x1b[2J/../../x\n"}
    with pytest.raises(UserError, match=r"has the row '\\x1b"):
        getData.main(params, "pascalVoc", source=write(tmp_path / "VOC2007", files))


def test_which_members_are_taken():
    assert grocery_member("ObjectDetectionUsingCntk-master/data/grocery/negative/1.jpg") == "negative/1.jpg"
    assert [grocery_member(name) for name in ("x/negative/1.jpg", "grocery/negative/9.jpg", "grocery/")] == [None] * 3
    assert voc_member("VOCdevkit/VOC2007/ImageSets/Main/test.txt") == "ImageSets/Main/test.txt"
    assert voc_member("VOCdevkit/VOC2012/ImageSets/Main/test.txt") is None


@pytest.fixture
def weights(server, monkeypatch, tmp_path):
    """torchvision's address leads to the server, and resources/ is a folder of the test's."""
    module = importlib.import_module("helpers.fetching.weights")
    content = b"weights" * 1000
    name = f"net-{sha256(content)[:8]}.pth"
    monkeypatch.setattr(module, "torchvision_url", lambda network: server.url.replace("file.bin", name))
    monkeypatch.setattr(module, "RESOURCES", tmp_path / "resources")
    server.script = [answer(content)]
    return SimpleNamespace(server=server, content=content, name=name, path=tmp_path / "resources" / name)


@pytest.mark.parametrize(
    "network", sorted({*BACKBONES} - {"vgg_cnn_m_1024", "efficientnet_lite0"})
)  # it is not torchvision's
def test_torchvision_names_files_by_their_hash(network):
    url = importlib.import_module("helpers.fetching.weights").torchvision_url(network)
    assert re.fullmatch(r"https://download\.pytorch\.org/models/[\w-]+-[0-9a-f]{8}\.pth", url)


def test_weights_from_the_network(weights, params):
    for _ in range(2):
        assert getData.main(params, "weights") == weights.path
        assert read(weights.path.parent) == {weights.name: weights.content}
    assert len(weights.server.requests) == 1
    weights.path.write_bytes(b"mine")
    with pytest.raises(UserError, match="expected SHA-256"):
        getData.main(params, "weights")
    weights.server.script = [status(404)]
    with pytest.raises(UserError, match="404"):
        getData.main(params, "weights", force=True)
    assert read(weights.path.parent) == {weights.name: b"mine"}  # nothing has changed
    weights.server.script = [answer(weights.content)]
    getData.main(params, "weights", force=True)
    assert read(weights.path.parent) == {weights.name: weights.content, f"{weights.name}.old": b"mine"}


def test_weights_from_the_disk(weights, params, tmp_path):
    folder = write(tmp_path / "folder", {weights.name: weights.content, "other.pth": b"other"})
    with pytest.raises(UserError, match="other.pth: expected SHA-256"):
        getData.main(params, "weights", source=folder / "other.pth")
    assert not weights.path.exists()
    getData.main(params, "weights", source=folder)
    assert weights.path.read_bytes() == weights.content
    assert weights.server.requests == []


def test_weights_that_come_with_a_package(params, capsys):
    path = getData.main(params.replace(network="efficientnet_lite0"), "weights")
    assert path.is_file() and capsys.readouterr().out == f"{path}: already there, it came with a package\n"

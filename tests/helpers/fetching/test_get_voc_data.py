"""Protects what tools/getData.py fetches to repeat published figures: PASCAL VOC 2012, and the Selective Search boxes
of Fast R-CNN, of which only an MD5 is known and whose addresses have changed before.

The network is a server on the loopback address with small stand-ins, as in test_get_data.py.
"""

import hashlib
from pathlib import Path

import getData
import pytest
from fetched_files import left_in, read, sha256, write
from loopback_server import answer, ranges, status
from mat_files import BOXES, NAMES, write_mat
from tiny import tar_of

from helpers.base.errors import UserError
from helpers.fetching import download, public_data
from helpers.fetching.public_data import PUBLIC_DATA, selective_search_member
from helpers.fetching.published_rois import PublishedRois, find_published
from pipeline.parameters import load_parameters

TRAINVAL = "voc_2007_trainval.mat"
VOC2012 = {
    "ImageSets/Main/trainval.txt": b"2007_000027\n2008_000002\n",
    "Annotations/2007_000027.xml": b"<1>",
    "Annotations/2008_000002.xml": b"<2>",
    "JPEGImages/2007_000027.jpg": b"1",
    "JPEGImages/2008_000002.jpg": b"2",
}


@pytest.fixture
def params(tmp_path):
    return load_parameters([f"dataRootDir={tmp_path / 'data'}"])


@pytest.fixture
def voc2012(server, monkeypatch):
    """The server has a stand-in for the archive; returns its bytes."""
    content = tar_of(VOC2012 | {"SegmentationClass/2007_000027.png": b"not wanted"}, "VOCdevkit/VOC2012/")
    known = {"VOCtrainval_11-May-2012.tar": (len(content), sha256(content))}
    monkeypatch.setattr(public_data, "VOC2012_ARCHIVES", known)
    monkeypatch.setattr(public_data, "VOC2012_URL", server.url.replace("file.bin", ""))
    server.script = [answer(content)]
    return content


def test_voc2012(voc2012, server, params, capsys):
    target = getData.main(params, "pascalVoc2012")
    assert target == Path(params.dataRootDir, "VOCdevkit", "VOC2012")
    assert read(target) == VOC2012
    assert server.requests[0]["path"] == "/VOCtrainval_11-May-2012.tar"
    getData.main(params, "pascalVoc2012")
    assert "already there" in capsys.readouterr().out and len(server.requests) == 1


def test_voc2012_beside_voc2007_on_the_disk(voc2012, params, tmp_path):
    folder = write(tmp_path / "VOCdevkit" / "VOC2007", {"Annotations/000001.xml": b"of 2007"}).parent
    write(folder / "VOC2012", VOC2012)
    assert read(getData.main(params, "pascalVoc2012", source=folder)) == VOC2012
    (folder / "VOC2012" / "JPEGImages" / "2008_000002.jpg").unlink()
    other = params.replace(dataRootDir=str(tmp_path / "other"))
    with pytest.raises(UserError, match=r"2008_000002\.jpg is missing"):
        getData.main(other, "pascalVoc2012", source=folder)
    (tmp_path / "VOCtrainval_11-May-2012.tar").write_bytes(voc2012[:-1])
    with pytest.raises(UserError, match="expected .* SHA-256"):
        getData.main(other, "pascalVoc2012", source=tmp_path)


@pytest.fixture
def boxes(tmp_path):
    """The files of a small release, by their names."""
    (tmp_path / "made").mkdir()
    names = (TRAINVAL, "voc_2007_test.mat", "voc_2012_test.mat")
    return {name: write_mat(tmp_path / "made" / name).read_bytes() for name in names}


@pytest.fixture
def selective_search(server, boxes, monkeypatch):
    """Two addresses that lead to the server, which has the archive; returns its bytes."""
    content = tar_of(boxes | {"README": b"not wanted"}, "selective_search_data/", "w:gz")
    urls = tuple(server.url.replace("file.bin", name) for name in ("first", "second"))
    monkeypatch.setattr(public_data, "SELECTIVE_SEARCH_URLS", urls)
    monkeypatch.setattr(public_data, "SELECTIVE_SEARCH_MD5", hashlib.md5(content).hexdigest())
    monkeypatch.setattr(public_data, "SELECTIVE_SEARCH_IMAGES", dict.fromkeys((TRAINVAL, "voc_2007_test.mat"), 3))
    server.script = [answer(content)]
    return content


def test_boxes_from_the_network(selective_search, boxes, server, params):
    target = getData.main(params, "selectiveSearch")
    assert target == Path(params.dataRootDir, "selective_search_data")
    assert read(target) == boxes
    assert [request["path"] for request in server.requests] == ["/first"]
    rois = PublishedRois(find_published(params.dataRootDir, "VOC2007", "trainval"))
    assert rois.names == NAMES and rois["000005"].shape == BOXES[0].shape


def test_boxes_from_the_second_address(selective_search, boxes, server, params, capsys):
    server.script = [status(404), answer(selective_search)]
    assert read(getData.main(params, "selectiveSearch")) == boxes
    assert [request["path"] for request in server.requests] == ["/first", "/second"]
    assert "404" in capsys.readouterr().err


def test_boxes_continued_at_the_second_address(selective_search, boxes, server, params):
    server.script = [answer(selective_search, break_after=500)] * download.ATTEMPTS + [answer(selective_search)]
    server.script[1 : download.ATTEMPTS] = [status(503)] * (download.ATTEMPTS - 1)
    assert read(getData.main(params, "selectiveSearch")) == boxes
    assert (ranges(server)[-1], server.requests[-1]["path"]) == ("bytes=500-", "/second")


def test_boxes_from_no_address(selective_search, server, params):
    server.script = [status(404)]
    with pytest.raises(UserError, match=r"/second\).*404.*browser.*selective_search_data\.tgz"):
        getData.main(params, "selectiveSearch")
    assert left_in(Path(params.dataRootDir)) == ["downloads"]


def test_boxes_with_another_md5(selective_search, server, params):
    server.script = [answer(b"something else")]
    with pytest.raises(UserError, match="expected MD5 [0-9a-f]{32}, got MD5 [0-9a-f]{32};"):
        getData.main(params, "selectiveSearch")
    write(Path(params.dataRootDir, "downloads"), {"selective_search_data.tgz": b"mine"})
    server.requests.clear()
    with pytest.raises(UserError, match="expected MD5"):
        getData.main(params, "selectiveSearch")
    assert server.requests == []  # no address helps against a wrong file that is there already


def test_boxes_from_the_disk(selective_search, boxes, server, params, tmp_path):
    folder = write(
        tmp_path / "archives", {"selective_search_data.tgz": selective_search, "other.tgz": selective_search}
    )
    sources = folder, folder / "selective_search_data.tgz", folder / "other.tgz", tmp_path / "made"
    for number, source in enumerate(sources):
        other = params.replace(dataRootDir=str(tmp_path / f"data{number}"))
        assert read(getData.main(other, "selectiveSearch", source=source)) == boxes
    (folder / "selective_search_data.tgz").write_bytes(b"other")
    with pytest.raises(UserError, match="expected MD5"):
        getData.main(params, "selectiveSearch", source=folder)
    assert server.requests == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({TRAINVAL: None}, f"{TRAINVAL}: cannot be read"),
        ({TRAINVAL: b"not a MATLAB file"}, f"{TRAINVAL}: is not a MATLAB file"),
        ({"voc_2007_test.mat": 2}, "voc_2007_test.mat has boxes of 2 images, not of 3"),
    ],
)
def test_boxes_that_are_incomplete(selective_search, boxes, params, tmp_path, change, words):
    for name, content in change.items():
        path = tmp_path / "made" / name
        if content is None:
            path.unlink()
        elif content == 2:
            write_mat(path, NAMES[:2], BOXES[:2])
        else:
            path.write_bytes(content)
    with pytest.raises(UserError, match=f"made: {words}"):
        getData.main(params, "selectiveSearch", source=tmp_path / "made")
    assert not Path(params.dataRootDir, "selective_search_data").exists()


def test_which_members_are_taken():
    assert selective_search_member("selective_search_data/voc_2012_val.mat") == "voc_2012_val.mat"
    names = ("voc_2007_.mat", "voc_2007_test.mat.exe", "x.mat", "voc_2007_test.mat/", "avoc_2007_test.mat")
    assert [selective_search_member(name) for name in names] == [None] * 5
    assert PUBLIC_DATA["pascalVoc2012"].member("VOCdevkit/VOC2012/JPEGImages/2007_1.jpg") == "JPEGImages/2007_1.jpg"
    assert PUBLIC_DATA["pascalVoc2012"].member("VOCdevkit/VOC2007/JPEGImages/000001.jpg") is None

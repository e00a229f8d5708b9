"""Protects resources/trainBackbone.py and backboneTrainer.py: that they learn, that the file fits torchvision's
squeezenet1_1, that a run can be stopped, resumed, given more classes and repeated to the byte, that unusable photos are
named, and that the shipped weights are what their card says.
"""

import hashlib
import re
from pathlib import Path

import backboneTrainer
import cv2
import numpy as np
import photoFolders
import pytest
import torch
import trainBackbone
from safetensors import safe_open
from safetensors.torch import load_file
from torchvision.models import squeezenet1_1

RESOURCES = Path(__file__).resolve().parents[2] / "resources"

TINY = {"epochs": 2, "batchSize": 8, "minSize": 32, "maxSize": 32, "minArea": 0.8, "mosaic": 0.0}


def draw_photos(folder, count, seed=0):
    """Two classes that differ in shape and brightness, `count` pictures of 48 x 60 px each."""
    rng = np.random.default_rng(seed)
    for name in ("disc", "stripes"):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            picture = rng.integers(0, 60, (48, 60, 3), np.uint8)
            if name == "disc":
                cv2.circle(picture, (30, 24), int(rng.integers(14, 20)), (230, 230, 230), -1)
            else:
                picture[::6] = picture[1::6] = 200
            cv2.imwrite(str(folder / name / f"{i}.png"), picture)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return draw_photos(tmp_path_factory.mktemp("photos") / "train", 32)


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    """(path of the weights, losses, top-1) of an undisturbed run."""
    out = tmp_path_factory.mktemp("trained") / "tiny.safetensors"
    return out, *trainBackbone.train([photos], photos, out, backboneTrainer.Recipe(**TINY))


@pytest.mark.slow
def test_loss_falls_and_the_checkpoint_goes(trained):
    out, losses, top1 = trained
    assert losses[1] < losses[0] < 1.0  # ln 2 = 0.69 is chance
    assert 0 <= top1 <= 1
    assert [path.name for path in out.parent.iterdir()] == ["tiny.safetensors"]


def test_file_is_torchvisions_squeezenet_in_float16_and_describes_itself(trained):
    state = load_file(trained[0])
    assert {value.dtype for value in state.values()} == {torch.float16}
    squeezenet1_1(num_classes=2).load_state_dict(state, strict=True)
    with safe_open(trained[0], "pt") as file:
        metadata = file.metadata()
    assert metadata["architecture"] == "torchvision squeezenet1_1"
    assert metadata["classes"] == '["disc", "stripes"]'
    assert metadata["mean"] == "[0.485, 0.456, 0.406]" and metadata["std"] == "[0.229, 0.224, 0.225]"


@pytest.mark.slow
def test_same_seed_same_bytes_other_seed_other_bytes(photos, trained, tmp_path):
    for seed in (0, 1):
        recipe = backboneTrainer.Recipe(**TINY, seed=seed)
        trainBackbone.train([photos], photos, tmp_path / f"{seed}.safetensors", recipe)
    assert (tmp_path / "0.safetensors").read_bytes() == trained[0].read_bytes()
    same, other = load_file(trained[0]), load_file(tmp_path / "1.safetensors")
    assert not torch.equal(same["features.0.weight"], other["features.0.weight"])


@pytest.mark.slow
def test_resumed_run_writes_what_an_undisturbed_run_writes(photos, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(trainBackbone, "CHECKPOINT_EVERY", 1)
    out, recipe = tmp_path / "tiny.safetensors", backboneTrainer.Recipe(**TINY)
    train_epoch = backboneTrainer.Trainer.train_epoch

    def stopped(self, epoch, *data):
        if epoch == 1:
            raise KeyboardInterrupt
        return train_epoch(self, epoch, *data)

    with monkeypatch.context() as patch:
        patch.setattr(backboneTrainer.Trainer, "train_epoch", stopped)
        with pytest.raises(KeyboardInterrupt):
            trainBackbone.train([photos], photos, out, recipe)
    assert not out.exists()
    torch.load(tmp_path / "tiny.checkpoint.pt", weights_only=True)
    with pytest.raises(ValueError, match="other options"):
        trainBackbone.train([photos], photos, out, backboneTrainer.Recipe(**TINY, seed=5), resume=True)
    losses, _ = trainBackbone.train([photos], photos, out, recipe, resume=True)
    assert len(losses) == 1
    assert out.read_bytes() == trained[0].read_bytes()


def test_checkpoint_accepts_another_length_but_no_other_classes(tmp_path):
    path = tmp_path / "x.checkpoint.pt"
    backboneTrainer.Trainer(["disc", "stripes"], backboneTrainer.Recipe(**TINY)).save_checkpoint(path, 1)
    longer = backboneTrainer.Recipe(**{**TINY, "epochs": 5})
    assert backboneTrainer.Trainer(["disc", "stripes"], longer).load_checkpoint(path) == 1
    with pytest.raises(ValueError, match="classes"):
        backboneTrainer.Trainer(["disc", "squares"], longer).load_checkpoint(path)


def moments_of_the_classifier(trainer):
    state = trainer.optimizer.state[trainer.network.classifier[1].weight]
    return [state[name] for name in ("exp_avg", "exp_avg_sq")]


def test_added_classes_get_fresh_rows_and_known_ones_keep_theirs(photos, tmp_path):
    path, recipe, known = tmp_path / "x.checkpoint.pt", backboneTrainer.Recipe(**TINY), ["disc", "stripes"]
    first = backboneTrainer.Trainer(known, recipe)
    first.train_epoch(0, *photoFolders.load_photos([photos], known, 48))
    first.save_checkpoint(path, 1)
    second = backboneTrainer.Trainer(["arrows", "disc", "mugs", "stripes"], recipe)  # disc is row 1, stripes row 3
    fresh = second.network.classifier[1].weight.detach().clone()
    assert second.load_checkpoint(path) == 1
    for name in ("network", "average"):
        before, after = (getattr(trainer, name).state_dict() for trainer in (first, second))
        weight, bias = after["classifier.1.weight"], after["classifier.1.bias"]
        assert torch.equal(weight[[1, 3]], before["classifier.1.weight"]), name
        assert torch.equal(weight[[0, 2]], fresh[[0, 2]]) and bias.tolist() == [0, 0, 0, 0], name
        assert all(torch.equal(after[key], before[key]) for key in before if not key.startswith("classifier")), name
    for before, after in zip(*map(moments_of_the_classifier, (first, second)), strict=True):
        assert before.abs().amax((1, 2, 3)).min() > 0 and torch.equal(after[[1, 3]], before)
        assert not after[[0, 2]].any()
    states = [trainer.optimizer.state_dict()["state"].values() for trainer in (first, second)]
    for before, after in zip(*states, strict=True):  # of every tensor in turn
        assert before["step"] == after["step"]
        assert before["exp_avg"].shape != after["exp_avg"].shape or torch.equal(before["exp_avg"], after["exp_avg"])


@pytest.mark.slow
def test_stopped_run_goes_on_with_an_added_class_folder(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(trainBackbone, "CHECKPOINT_EVERY", 1)
    out, recipe = tmp_path / "x.safetensors", backboneTrainer.Recipe(**TINY)
    checkpoint = tmp_path / "x.checkpoint.pt"
    first = backboneTrainer.Trainer(["disc", "stripes"], recipe)
    first.train_epoch(0, *photoFolders.load_photos([photos], ["disc", "stripes"], 48))
    first.save_checkpoint(checkpoint, 1)
    more = tmp_path / "more"
    (draw_photos(more, 8, seed=1) / "disc").rename(more / "blobs")  # "blobs" comes first; "stripes" is known
    losses, _ = trainBackbone.train([photos, more], None, out, recipe, resume=True)
    assert len(losses) == 1 and np.isfinite(losses[0]) and not checkpoint.exists()
    assert len(load_file(out)["classifier.1.weight"]) == 3
    with safe_open(out, "pt") as file:
        assert file.metadata()["classes"] == '["blobs", "disc", "stripes"]'
    # the other way round: a class of the checkpoint has gone
    backboneTrainer.Trainer(["blobs", "disc", "stripes"], recipe).save_checkpoint(checkpoint, 1)
    with pytest.raises(ValueError, match=r"x\.checkpoint\.pt: made with other options or classes; resume with those"):
        trainBackbone.train([photos], None, out, recipe, resume=True)


def test_folded_network_computes_what_the_normalised_one_does():
    torch.manual_seed(0)
    network = backboneTrainer.make_network(3)
    images = torch.randn(2, 3, 48, 48)
    with torch.no_grad():
        for _ in range(3):
            network.features(images)  # gives the running statistics values that are not 0 and 1
        expected = network.eval().features(images)
        plain = squeezenet1_1(num_classes=3).eval()
        plain.load_state_dict(trainBackbone.folded_state(network), strict=True)
        torch.testing.assert_close(plain.features(images), expected, rtol=1e-4, atol=1e-4)
        # the ReLU behind the class scores must not cut: adding a constant to all of them changes no probability
        scores = network.classifier[1](expected).mean((2, 3))
        torch.testing.assert_close(plain(images).softmax(1), scores.softmax(1), rtol=1e-3, atol=1e-4)


def test_mosaic_scores_come_back_in_the_order_of_the_images():
    images = torch.arange(8.0).reshape(8, 1, 1, 1).expand(8, 3, 4, 4)  # image k is filled with k
    mosaics = backboneTrainer.to_mosaic(images)
    # chunks of 8 / 4 = 2: mosaic 0 shows images 0, 2 above 4, 6, mosaic 1 shows 1, 3 above 5, 7
    assert mosaics[0, 0, ::4, ::4].tolist() == [[0, 2], [4, 6]]
    assert mosaics[1, 0, ::4, ::4].tolist() == [[1, 3], [5, 7]]
    assert backboneTrainer.region_scores(mosaics, 2).tolist() == [[k] * 3 for k in range(8)]


def test_mosaics_can_be_trained_on(photos, tmp_path):
    recipe = backboneTrainer.Recipe(**{**TINY, "epochs": 1, "mosaic": 1.0})
    losses, top1 = trainBackbone.train([photos], None, tmp_path / "x.safetensors", recipe)
    assert losses[0] < 1.0 and top1 is None


def test_crops_grow_and_learning_rate_rises_then_falls_to_zero():
    recipe = backboneTrainer.Recipe(epochs=5, minSize=64, maxSize=128, learningRate=1.0)
    assert [backboneTrainer.crop_size(epoch, recipe) for epoch in range(5)] == [64, 80, 96, 112, 128]
    rates = [backboneTrainer.learning_rate(step, 100, recipe) for step in range(101)]
    assert rates[0] == pytest.approx(0.2) and rates[4] == max(rates) == 1 and rates[100] == pytest.approx(0)


def test_random_crop_of_the_whole_photo_and_of_a_narrow_one():
    rng = np.random.default_rng(0)
    for shape in ((40, 40, 3), (5, 200, 3), (200, 1, 3)):
        photo = np.full(shape, 7, np.uint8)
        for size in (32, 64):
            crop = photoFolders.random_crop(photo, size, 0.2, rng)
            assert crop.shape == (size, size, 3) and crop.dtype == np.uint8 and (crop == 7).all()
            assert photoFolders.disturb(crop, rng).shape == (size, size, 3)


@pytest.mark.parametrize("setting", [{"epochs": 0}, {"batchSize": 4}, {"minSize": 16}, {"minArea": 0}, {"mosaic": 2}])
def test_recipe_out_of_range_is_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        backboneTrainer.Recipe(**setting)


def test_unusable_folders_are_named(photos, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="empty: no class folders"):
        photoFolders.find_classes([photos, empty])
    with pytest.raises(ValueError, match="absent: no class folders"):
        photoFolders.find_classes([tmp_path / "absent"])
    (empty / "disc").mkdir()
    (empty / "disc" / "notes.txt").write_text("not a photo")
    with pytest.raises(ValueError, match="empty: its class folders hold no photos"):
        photoFolders.load_photos([empty], ["disc"], 48)
    with pytest.raises(ValueError, match="stripes: the training folders have no class"):
        photoFolders.load_photos([photos], ["disc"], 48)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 a photo that broke off"])
def test_broken_photo_is_named(content, tmp_path, capsys):
    folder = draw_photos(tmp_path / "photos", 1)
    (folder / "disc" / "broken.jpg").write_bytes(content)
    with pytest.raises(SystemExit, match=r"broken\.jpg: cannot be read as an image"):
        trainBackbone.main([str(folder), "--out", str(tmp_path / "x.safetensors")])
    assert not list(tmp_path.glob("x.*"))


def test_too_few_photos_are_refused(tmp_path):
    folder = draw_photos(tmp_path / "photos", 1)
    with pytest.raises(ValueError, match="2 photos are fewer than a batch of 8"):
        trainBackbone.train([folder], None, tmp_path / "x.safetensors", backboneTrainer.Recipe(**TINY))


def test_shipped_weights_are_small_fit_and_are_those_of_the_card():
    path = RESOURCES / "squeezenet1_1-grocery.safetensors"
    assert path.stat().st_size < 3_000_000
    state = load_file(path)
    assert {value.dtype for value in state.values()} == {torch.float16}
    squeezenet1_1(num_classes=99).load_state_dict(state, strict=True)
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert re.findall(r"\b[0-9a-f]{64}\b", card) == [hashlib.sha256(path.read_bytes()).hexdigest()]

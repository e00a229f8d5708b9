"""Protects training in several processes: that they share the work, agree on numbers, and learn what one alone learns.

Two processes are started here once, over gloo on this machine, and everything that they found is compared afterwards.
"""

import math
import os
import socket
import time

import pytest
import torch
from drawn_images import DrawnImages, quick_settings, small_model

from fastRCNN.ranks import Ranks, join_ranks, leave_ranks
from fastRCNN.training import MEASURES, Trainer, measure_offsets

pytestmark = pytest.mark.slow

COUNT = 2
EPOCHS = 2


def train(ranks):
    """All weights, the measures of two epochs, and the images that this process looked at.

    Only the first process has the right weights of a new layer to start with.
    """
    torch.set_num_threads(1)
    model = small_model()
    with torch.no_grad():
        model.class_scores.weight += 0 if ranks.is_first else 0.5
    trainer = Trainer(model, "features.9", quick_settings(images_per_batch=2), ranks)
    images = DrawnImages(3, model.network, trainer.frozen)
    measure_offsets(model, images.offsets())
    measures = [trainer.train_epoch(epoch, images) for epoch in range(EPOCHS)]
    return model.state_dict(), measures, images.visits


def train_on_a_broken_image(ranks):
    """The message with which training stops."""
    model = small_model()
    trainer = Trainer(model, "head", quick_settings(images_per_batch=2, mirrored=False), ranks)
    images = DrawnImages(2, model.network, trainer.frozen)
    images.view(1, False)
    images.maps[1, False] = images.maps[1, False] * math.nan
    try:
        trainer.train_epoch(0, images)
    except FloatingPointError as error:
        return str(error)


def work(rank, folder, port):
    """What each process does; it writes what it found to `folder`."""
    os.environ.update(WORLD_SIZE=str(COUNT), RANK=str(rank), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    ranks = join_ranks(os.environ, use_gpu=False)
    found = {"ranks": (ranks.rank, ranks.count, ranks.is_first)}
    found["share"] = ranks.share(list("abcde"))
    found["from_first"] = ranks.from_first({"who": f"rank {rank}", "epoch": 7})
    found["mean"] = ranks.mean([1.0 + rank, 10.0 * rank])
    found["mean without nan"] = ranks.mean([math.nan if rank else 3.0, math.nan])
    if rank == 1:
        time.sleep(0.5)
        (folder / "late").touch()
    ranks.wait()
    found["waited"] = (folder / "late").exists()
    found["trained"] = train(ranks)
    found["broken"] = train_on_a_broken_image(ranks)
    leave_ranks()
    found["left"] = not torch.distributed.is_initialized()
    torch.save(found, folder / f"{rank}.pt")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = torch.multiprocessing.spawn(work, (folder, port), COUNT, join=False)
    end = time.monotonic() + 300  # a busy machine takes a minute
    try:
        while not processes.join(timeout=1):  # raises what a process raised
            assert time.monotonic() < end, "the processes wait for each other"
    finally:
        for process in processes.processes:
            process.kill()
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(COUNT)]


# --- alone ---


def test_one_process_is_the_first_of_one(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join_ranks(os.environ, use_gpu=False) == Ranks() == Ranks(0, 1)
    monkeypatch.setenv("WORLD_SIZE", "1")
    ranks = join_ranks(os.environ, use_gpu=False)
    assert ranks == Ranks() and ranks.is_first and not torch.distributed.is_initialized()
    items, value = [1, 2, 3], object()
    assert ranks.share(items) == items and ranks.from_first(value) is value and ranks.mean((1.5, 2)) == [1.5, 2]
    ranks.wait()
    leave_ranks()


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_are_a_partition(count):
    shares = [Ranks(rank, count).share(list(range(5))) for rank in range(count)]
    assert sorted(item for share in shares for item in share) == [0, 1, 2, 3, 4]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


# --- two processes ---


def test_who_is_who(found):
    assert [result["ranks"] for result in found] == [(0, 2, True), (1, 2, False)]
    assert [result["share"] for result in found] == [["a", "c", "e"], ["b", "d"]]
    assert all(result["left"] for result in found)


def test_all_have_what_the_first_has(found):
    assert [result["from_first"] for result in found] == [{"who": "rank 0", "epoch": 7}] * 2


def test_means(found):
    assert [result["mean"] for result in found] == [[1.5, 5.0]] * 2
    for result in found:  # a process without objects has no foreground recall, but the other has
        first, second = result["mean without nan"]
        assert first == 3 and math.isnan(second)


def test_waiting(found):
    assert all(result["waited"] for result in found)


def test_two_processes_share_the_images_of_a_batch(found):
    trainer = Trainer(small_model(), "head", quick_settings(images_per_batch=2))
    batches = [batch for epoch in range(EPOCHS) for batch in trainer.batches(epoch, 3)]
    for rank, result in enumerate(found):
        assert [tuple(visit) for visit in result["trained"][2]] == [batch[rank] for batch in batches]


def test_two_processes_learn_what_one_learns(found):
    expected, measures, _ = train(Ranks())
    untrained = small_model().state_dict()
    (first, first_measures, _), (second, second_measures, _) = (result["trained"] for result in found)
    for name, tensor in expected.items():
        assert torch.equal(first[name], second[name]), name
        assert (first[name] - tensor).abs().max() < 1e-4, name
    # there is something to compare
    assert max(float((expected[name] - untrained[name]).abs().max()) for name in expected) > 1e-2
    assert str(first_measures) == str(second_measures)
    for found_measures, alone in zip(first_measures, measures, strict=True):
        for name in MEASURES[:4]:
            assert found_measures[name] == pytest.approx(alone[name], abs=1e-4)


def test_all_stop_together_at_an_image_that_breaks_one(found):
    for result in found:
        assert "drawn/0.png" in result["broken"] and "drawn/1.png" in result["broken"]

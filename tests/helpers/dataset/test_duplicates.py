"""Protects the search for copies of one photo: by their look, whatever was done to size, quality, tones or direction,
and by their names; what only shows the same scene is told from copies, block by block, and thousands take seconds.
"""

import io
import time

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from helpers.dataset import duplicates
from helpers.dataset.annotations import NO_BOXES, Annotation
from helpers.dataset.copy_names import group_by_name, photo_name
from helpers.dataset.duplicate_check import check_duplicates
from helpers.dataset.duplicates import Look, group_by_look, joined, look_of, members
from helpers.dataset.image_files import ImageFile
from helpers.dataset.report import CheckedImage


def drawn(seed, size=(320, 240)):
    """A picture of the roughness of a photo."""
    coarse = np.random.default_rng(seed).integers(20, 230, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def as_jpeg(picture, quality):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def with_object(picture, box=(150, 90, 200, 150), color=(250, 20, 20)):
    picture = picture.copy()
    picture.paste(color, box)
    return picture


COPIES = {
    "saved again": lambda picture: as_jpeg(picture, 25),
    "small": lambda picture: picture.resize((90, 70)),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.6),
    "less contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(0.6),
    "gamma": lambda picture: picture.point([int(255 * (value / 255) ** 0.7) for value in range(256)] * 3),
    "mirrored": lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "mirrored, dark, saved again": lambda picture: as_jpeg(
        ImageEnhance.Brightness(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)).enhance(0.7), 60
    ),
}


def looks(*pictures):
    return [look_of(np.asarray(picture)) for picture in pictures]


@pytest.mark.parametrize("change", COPIES)
def test_copies_look_the_same_and_other_photos_do_not(change):
    photos = [drawn(seed) for seed in range(6)]
    same, scene = group_by_look(looks(*photos, COPIES[change](photos[2])))
    assert same.tolist() == scene.tolist() == [0, 1, 2, 3, 4, 5, 2]


@pytest.mark.parametrize("change", ["saved again", "darker", "mirrored"])
def test_photos_that_differ_by_an_object_show_the_same_scene_only(change):
    photo = drawn(1)
    same, scene = group_by_look(looks(photo, COPIES[change](with_object(photo))))
    assert same.tolist() == [0, 1] and scene.tolist() == [0, 0]


def test_drawings_without_texture_are_told_apart_by_their_colors():
    plain = [Image.new("RGB", (100, 80), (level, 90, 60)) for level in (0, 60, 120, 180)]
    boxes = [with_object(plain[0], (20, 20, 50, 60), color) for color in ((200, 200, 200), (90, 20, 200))]
    same, _ = group_by_look(looks(*plain, *boxes, plain[1]))
    assert same.tolist() == [0, 1, 2, 3, 4, 5, 6]  # of one colour, nobody can tell


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_pairs_are_found_block_by_block(monkeypatch, block):
    monkeypatch.setattr(duplicates, "BLOCK", block)
    monkeypatch.setattr(duplicates, "PAIRS", block)
    random = np.random.default_rng(0)
    bits = random.random((12, 256)) < 0.5
    bits = np.concatenate([bits, bits ^ (random.random((12, 256)) < 0.05), bits[:3]])  # 13 bits of 256 differ
    thumbnails = random.integers(0, 256, (27, 24, 24, 3), dtype=np.uint8)
    thumbnails[24:26] = thumbnails[:2]
    mirrored = random.random((27, 256)) < 0.5
    same, scene = group_by_look([Look(*look) for look in zip(bits, mirrored, thumbnails, strict=True)])
    assert members(same) == [[0, 24], [1, 25]]
    assert members(scene) == [[0, 12, 24], [1, 13, 25], [2, 14, 26]] + [[i, i + 12] for i in range(3, 12)]


def test_images_without_a_look_are_in_no_group():
    (look,) = looks(drawn(0))
    same, scene = group_by_look([None, look, None, look])
    assert same.tolist() == scene.tolist() == [0, 1, 2, 1]
    assert [group.tolist() for group in group_by_look([])] == [[], []]


def test_groups_are_joined_over_their_members():
    # 0-1 and 2-3 are groups, 3-4 a pair: all but 0 and 1 become one
    groups = joined(np.array([0, 0, 2, 2, 4]), (np.array([3]), np.array([4])))
    assert groups.tolist() == [0, 0, 2, 2, 2]


@pytest.mark.slow
def test_two_thousand_frames_of_a_film_take_seconds():
    random = np.random.default_rng(0)
    (look,) = looks(drawn(0))
    frames = []
    for _ in range(500):
        thumbnail = look.thumbnail.copy()
        y, x = random.integers(0, 20, 2)
        thumbnail[y : y + 4, x : x + 4] = random.integers(0, 256, 3)
        frames.append(Look(look.bits, look.mirrored, thumbnail))
    start = time.perf_counter()
    _, scene = group_by_look(frames + [look] * 1500)
    assert time.perf_counter() - start < 60 and set(scene) == {0}  # about 1 s; a loop over the pairs takes minutes


# --- names -----------------------------------------------------------------------------------------------------------

HASHES = [f"{digit}" * 32 for digit in "3ab"]


@pytest.mark.parametrize(
    "stem, name",
    [
        (f"IMG_1_jpg.rf.{HASHES[0]}", "IMG_1"), (f"IMG_1_aug2_PNG.rf.{HASHES[1]}", "IMG_1"), ("cup_aug1", "cup"),
        ("cup-AUG-12", "cup"), ("cup_rot90_flip", "cup"), ("cup_flip_horizontal", "cup"), ("cup - Copy (2)", "cup"),
        ("Copy of cup", "cup"), ("cup (copy)", "cup"), ("cup (3rd copy)", "cup"), ("flip_cup", "cup"),
        ("cup_h_flip", "cup"), ("cup_bright1.2", "cup"), ("grey_wolf", None), ("cup (2)", None), ("IMG_20240101", None),
        ("carrot_12", None), ("gray_001", None), ("mirror", None), ("august_3", None),
    ],
)  # fmt: skip
def test_names_of_copies_lead_to_the_photo(stem, name):
    found = photo_name(stem)
    assert (found.name, found.is_copy) == ((name, True) if name else (stem, False))


@pytest.mark.parametrize(
    "places, groups",
    [
        (["train/1", "train/1_aug1", "test/1", "test/1_aug1"], [0, 0, 2, 2]),  # two photos of one name
        (["train/1_aug1", "test/1", "test/2"], [0, 0, 2]),
        (["train/1", "test/1"], [0, 1]),
        ([f"train/x_jpg.rf.{HASHES[0]}", f"test/X_jpg.rf.{HASHES[1]}", f"test/y_jpg.rf.{HASHES[2]}"], [0, 0, 2]),
        (["train/box_crop1", "test/box_crop2"], [0, 1]),  # without "box" these may be photos of different boxes
        (["train/box_crop1", "test/box_crop2", "test/box"], [0, 1, 1]),
        (["train/cup_flip", "test/cup_rot90"], [0, 0]),
    ],
)  # fmt: skip
def test_copies_are_grouped_by_name(places, groups):
    assert group_by_name([tuple(place.split("/")) for place in places]).tolist() == groups


def test_a_running_number_behind_a_word_is_no_copy():
    places = [("train", f"field_aug_{number}") for number in range(200)]  # photos of August
    assert len(set(group_by_name(places))) == 200


# --- step 0 ----------------------------------------------------------------------------------------------------------


def problems(folder, pictures):
    """What step 0 says of pictures {key: Pillow image} that no one annotated: [(level, path, message)]."""
    checked = [
        CheckedImage(ImageFile(folder, key), picture.size, *looks(picture), NO_BOXES, [])
        for key, picture in pictures.items()
    ]
    return [
        (problem.level, problem.path.relative_to(folder).as_posix(), problem.message)
        for problem in check_duplicates(checked)
    ]


def test_step_0_names_groups_on_both_sides(tmp_path):
    photo = drawn(1)
    mirrored, dark = COPIES["mirrored"](photo), COPIES["darker"](photo)
    pictures = {"positive/1.jpg": photo, "positive/2.jpg": drawn(2), "testImages/a.jpg": mirrored}
    found = problems(tmp_path, {**pictures, "testImages/b.jpg": dark, "testImages/c.jpg": drawn(3)})
    message = "the same picture as positive/1.jpg"
    assert found[:2] == [
        ("error", "testImages/a.jpg", f"{message}, testImages/b.jpg"),
        ("error", "testImages/b.jpg", f"{message}, testImages/a.jpg"),
    ]
    assert [level for level, *_ in found[2:]] == ["warning"]  # the two copies in testImages/
    names = [f"IMG_1_jpg.rf.{digits}" for digits in HASHES]
    pictures = {f"positive/{names[0]}.jpg": drawn(4), f"testImages/{names[1]}.jpg": drawn(5), "testImages/1.jpg": photo}
    message = f"by its name a copy of positive/{names[0]}.jpg"
    assert problems(tmp_path, pictures) == [("error", f"testImages/{names[1]}.jpg", message)]


def test_step_0_warns_of_one_scene_on_both_sides_and_lists_no_more_than_a_few(tmp_path):
    photo, other = drawn(1), with_object(drawn(1))
    pictures = {"positive/1.jpg": photo, "testImages/a.jpg": other}
    assert problems(tmp_path, pictures) == [
        ("warning", "testImages/a.jpg", "nearly the same picture as positive/1.jpg")
    ]
    found = problems(tmp_path, {f"positive/{number}.jpg": photo for number in range(300)})
    assert found == [
        (
            "warning",
            "positive/1.jpg",
            "the same picture as positive/0.jpg, positive/2.jpg, positive/3.jpg and 296 others",
        )
    ]
    found = problems(tmp_path, {"positive/1.jpg": photo, "negative/2.jpg": COPIES["mirrored"](photo)})
    assert found == [("error", "negative/2.jpg", "the same picture as positive/1.jpg")]


@pytest.mark.slow
def test_a_film_of_one_scene_is_grouped_in_a_second():
    picture, random = np.asarray(drawn(1, (96, 72)), int), np.random.default_rng(0)
    noise = random.integers(-3, 4, (1500, *picture.shape))
    film = [look_of((picture + grain).clip(0, 255).astype(np.uint8)) for grain in noise]
    start = time.process_time()
    copies, scenes = group_by_look(film)
    assert time.process_time() - start < 6, "16 s where every pair is compared"
    assert not copies.any() and not scenes.any()


def test_step_0_warns_where_the_same_picture_has_other_boxes(tmp_path):
    def boxes(*rows):
        return Annotation(np.array(rows, np.float32).reshape(-1, 4), ("cup",) * len(rows))

    def messages(*annotations, picture=lambda number: drawn(1)):
        checked = [
            CheckedImage(ImageFile(tmp_path, f"positive/{n}.jpg"), (320, 240), *looks(picture(n)), annotation, [])
            for n, annotation in enumerate(annotations)
        ]
        return [problem.message for problem in check_duplicates(checked)]

    one, both = boxes([1, 2, 30, 40]), boxes([50, 60, 70, 80], [1, 2, 30, 40])
    said = "the same picture as positive/0.jpg"
    assert messages(both, boxes([1, 2, 30, 40], [50, 60, 70, 80])) == [said]  # in another order
    assert messages(both, one) == [said, f"{said}, but with other boxes"]
    # a mirrored copy has its boxes elsewhere
    assert messages(both, one, picture=lambda number: COPIES["mirrored"](drawn(1)) if number else drawn(1)) == [said]

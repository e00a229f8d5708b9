"""Words that mean training, validation or test images, in columns, folders and names of files."""

import re
from pathlib import Path

TRAIN, VALIDATION, TEST = "train", "validation", "test"
BOTH = "trainval"  # VOC's list of the images to train and to validate on
WORDS = {
    **dict.fromkeys(("train", "training", "trn", "trainset", BOTH, "trainimages", "positive", "negative"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "valset", "validset", "valimages"), VALIDATION),
    **dict.fromkeys(("test", "testing", "tst", "testset", "testimages"), TEST),
}
NEUTRAL = {
    "images", "image", "imgs", "img", "photos", "pictures", "labels", "label", "annotations", "annotation", "anns",
    "ann", "instances", "person", "keypoints", "bboxes", "boxes", "data", "dataset", "set", "split", "coco", "voc",
    "jpegimages", "csv", "json", "xml", "jpg", "png", "export", "raw", "processed", "obj",
}  # fmt: skip


def kind_of_word(text: str) -> str | None:
    """Which split a word means, or None; several different ones count as `TRAIN`."""
    kinds = {WORDS.get("".join(re.findall("[a-z]", word))) for word in text.casefold().split(" and ")}
    return TRAIN if len(kinds) > 1 and kinds & {TRAIN, VALIDATION, TEST} else kinds.pop()


def kind_of_folder(name: str) -> str | None:
    """Which split the name of a folder means: "train2017", "images_val", "Test Images"; else None."""
    words = [word for word in re.findall("[a-z]+", name.casefold()) if word not in NEUTRAL]
    return WORDS.get(words[0]) if len(words) == 1 else None


def kind_of_file(name: str) -> str | None:
    """Which split the name of an annotation file means, by its first or last word: "cups_test.csv"; else None."""
    words = [word for word in re.findall("[a-z]+", Path(name).stem.casefold()) if word not in NEUTRAL]
    kinds = {WORDS[word] for word in words[:1] + words[-1:] if word in WORDS}
    return kinds.pop() if len(kinds) == 1 else None

"""The images of a data set and their ground truth, whatever layout it has on disk (`datasetLayout`)."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from fastRCNN.structures import GroundTruth
from helpers.base.errors import UserError
from helpers.base.images import IMAGE_SUFFIXES
from helpers.config.schema import Parameters
from helpers.dataset.annotations import Annotation, Problem, refuse_errors
from helpers.dataset.image_files import ImageFile, refuse_bad_names
from helpers.dataset.layouts import coco, folders, voc
from helpers.formats.own_layout import SUBDIRS, TEST_SUBDIRS, TRAIN_SUBDIRS


class Layout(Protocol):
    """What a module of helpers/dataset/layouts answers, see helpers/dataset/layouts/__init__.py."""

    def list_images(self, params: Parameters, subdirs: Sequence[str]) -> list[ImageFile]: ...

    def left_out(self, params: Parameters) -> list[Problem]: ...

    def read_annotation(
        self, image: ImageFile, size: tuple[float, float], params: Parameters
    ) -> tuple[Annotation, list[Problem]]: ...

    def annotation_paths(self, params: Parameters) -> list[Path]: ...

    def derive_classes(self, params: Parameters) -> tuple[str, ...]: ...


LAYOUTS: dict[str, Layout] = {"folders": folders, "voc": voc, "coco": coco}
IMAGE_SETS = {"train": TRAIN_SUBDIRS, "test": TEST_SUBDIRS}


def list_images(params: Parameters, subdirs: Sequence[str] = SUBDIRS) -> list[ImageFile]:
    """All images of some subdirs of the data set, in a fixed order.

    Raises:
        UserError: where the name of one cannot stand in the files that steps write.
    """
    images = LAYOUTS[params.datasetLayout].list_images(params, subdirs)
    refuse_bad_names(images)
    return images


def left_out(params: Parameters) -> list[Problem]:
    """A `Problem` for each image that is left out of the data set."""
    return LAYOUTS[params.datasetLayout].left_out(params)


def require_images(images: Iterable[ImageFile], params: Parameters, *subdirs: str) -> None:
    """Raise `UserError` where one of these subdirs has no image."""
    filled = {image.subdir for image in images}
    for subdir in subdirs:
        if subdir not in filled:
            if params.datasetLayout != "folders":
                kind = "to test on" if subdir in TEST_SUBDIRS else "to train on, with an object of a wanted class"
                raise UserError(f"{params.image_dir}: no image {kind}; the classes are {', '.join(params.classes)}")
            suffixes = ", ".join(IMAGE_SUFFIXES)
            raise UserError(
                f"{params.image_dir / subdir}: no image in this folder; put at least one in it ({suffixes})"
            )


def annotation_paths(params: Parameters) -> list[Path]:
    """All files that ground truth is read from."""
    return LAYOUTS[params.datasetLayout].annotation_paths(params)


def published_files(params: Parameters) -> list[Path]:
    """The files of published ROIs that step 1 takes instead of its own; none for most data sets."""
    return voc.published_files(params) if params.datasetLayout == "voc" else []


def derive_classes(params: Parameters) -> tuple[str, ...]:
    """The classes of a data set for which PARAMETERS.py names none."""
    return LAYOUTS[params.datasetLayout].derive_classes(params)


def read_annotation(
    image: ImageFile, size: tuple[float, float], params: Parameters
) -> tuple[Annotation, list[Problem]]:
    """The `Annotation` of an image, and a list of `Problem`s with it. size: (width, height) as displayed."""
    return LAYOUTS[params.datasetLayout].read_annotation(image, size, params)


def load_ground_truth(image: ImageFile, size: tuple[float, float], params: Parameters) -> GroundTruth:
    """The ground truth of an image for evaluation: difficult objects are ignored.

    Args:
        size: (width, height) as displayed.

    Raises:
        UserError: for an annotation with errors.
    """
    return _ground_truth(image, size, params, use_difficult=False)


def load_training_ground_truth(image: ImageFile, size: tuple[float, float], params: Parameters) -> GroundTruth:
    """The same for training: `train_useDifficult` makes positives of difficult objects."""
    return _ground_truth(image, size, params, params.train_useDifficult)


def _ground_truth(image: ImageFile, size: tuple[float, float], params: Parameters, use_difficult: bool) -> GroundTruth:
    annotation = refuse_errors(*read_annotation(image, size, params))
    return GroundTruth(annotation.boxes, annotation.class_ids(params.all_classes), annotation.ignored(use_difficult))

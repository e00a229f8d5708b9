"""The tutorial's layout: data/<dataset>/{positive,negative,testImages}/NAME.jpg, the boxes beside the images."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from helpers.base.errors import UserError
from helpers.base.files import read_lines
from helpers.config.labels import IGNORED_LABELS
from helpers.config.schema import Parameters
from helpers.dataset import annotations
from helpers.dataset.annotations import NO_BOXES, Annotation, Problem, annotation_path
from helpers.dataset.image_files import ImageFile, list_folder_images
from helpers.formats.own_layout import ANNOTATED_SUBDIRS, BOX_SUFFIXES, LABEL_SUFFIXES


def list_images(params: Parameters, subdirs: Sequence[str]) -> list[ImageFile]:
    """All images of some of the folders."""
    return list_folder_images(params.image_dir, subdirs)


def left_out(params: Parameters) -> list[Problem]:
    """No image is."""
    return []


def read_annotation(
    image: ImageFile, size: tuple[float, float], params: Parameters
) -> tuple[Annotation, list[Problem]]:
    """The boxes beside an image. Images of negative/ must have none: they would count as background."""
    if image.subdir not in ANNOTATED_SUBDIRS:
        path = annotation_path(image.path, BOX_SUFFIXES)
        if not path.exists() or not path.stat().st_size:
            return NO_BOXES, []
        message = f"boxes of an image in {image.subdir}/, which would be learned as background"
        return NO_BOXES, [Problem("error", path, None, message, "move the image to positive/, or delete this file")]
    return annotations.read_annotation(image.path, size, params.classes)


def annotation_paths(params: Parameters) -> list[Path]:
    """The files of boxes and of labels of all images that have some."""
    images = [image.path for image in list_folder_images(params.image_dir, ANNOTATED_SUBDIRS)]
    return [annotation_path(image, suffixes) for image in images for suffixes in (BOX_SUFFIXES, LABEL_SUFFIXES)]


def derive_classes(params: Parameters) -> tuple[str, ...]:
    """All class names in the label files, in alphabetical order."""
    classes = classes_in(list_folder_images(params.image_dir, ANNOTATED_SUBDIRS))
    if not classes:
        raise UserError(
            f"{params.image_dir}: no label file names a class; annotate its images (A1_annotateImages.py, "
            "A2_annotateLabels.py), or import annotations (tools/importAnnotations.py)"
        )
    return classes


def classes_in(images: Iterable[ImageFile]) -> tuple[str, ...]:
    """All class names in the label files of these images, in alphabetical order."""
    names: set[str] = set()
    for image in images:
        path = annotation_path(image.path, LABEL_SUFFIXES)
        if path.exists():
            names.update(line.strip() for line in read_lines(path))
    return tuple(sorted(names - {"", *IGNORED_LABELS}))

"""What is to be done next while a data set is annotated: the commands that the annotation scripts end with."""

import os
import shlex
from pathlib import Path

from helpers.annotating.files import read_folder
from helpers.dataset.image_files import is_image
from helpers.formats.own_layout import ANNOTATED_SUBDIRS


def next_command(folder: Path | str) -> str:
    """The next command as text, "python3 ...", for the data set that `folder` belongs to, or for the folder alone.

    Images are drawn on, their boxes named, first those of this folder, then those of the other one.
    """
    folder = Path(os.path.expanduser(folder))
    here = folder.absolute()
    if here.name not in ANNOTATED_SUBDIRS:
        return _open_work(folder) or f"make a data set for these images: {_command('tools/newDataset.py')} NAME"
    others = [folder.parent / name for name in ANNOTATED_SUBDIRS if name != here.name]
    for part in (folder, *others):
        if not (part.is_dir() and any(map(is_image, part.iterdir()))):
            return f"put photos into {part}, then  {_command('A1_annotateImages.py', part)}"
        work = _open_work(part)
        if work:
            return work
    return _command("run.py", "--set", f"datasetName={here.parent.name}", *_data_root(here.parent.parent))


def _open_work(folder: Path) -> str:
    """The command for the images of a folder that have no boxes yet, else for boxes without a name, else ""."""
    marks = [image.marks for image in read_folder(folder)]
    if any(mark.boxes is None for mark in marks):
        return _command("A1_annotateImages.py", folder)
    if any(len(mark.labels or ()) < len(mark.drawn) for mark in marks):
        return _command("A2_annotateLabels.py", folder)
    return ""


def _data_root(folder: Path) -> tuple[str, ...]:
    """The setting for a data set that does not lie where the others do."""
    usual = Path(__file__).resolve().parents[2] / "data"
    return () if folder.resolve() == usual.resolve() else (f"dataRootDir={folder}",)


def _command(*words: object) -> str:
    return " ".join(["python3", *(shlex.quote(str(word)) for word in words)])

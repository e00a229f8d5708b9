"""The annotation formats by name, and how each is read and written: a new format is one entry of `FORMATS`."""

from collections.abc import Callable
from dataclasses import dataclass

from helpers.formats import coco, cvat, label_studio, labelme, tables, voc, vott, yolo
from helpers.formats.exported import Writer
from helpers.formats.records import Record
from helpers.formats.source import Source


@dataclass(frozen=True)
class Format:
    """How to read a format, how to write it (None: not written), and where copies of images go beside that."""

    title: str
    read: Callable[[Source], list[Record]]
    write: Writer | None = None
    image_place: Callable[[str], str] = "images/{}".format


FORMATS = {
    "voc": Format("PASCAL VOC, an XML file per image", voc.read, voc.write, voc.image_place),
    "coco": Format("COCO JSON", coco.read, coco.write),
    "yolo": Format("YOLO, a text file per image", yolo.read, yolo.write),
    "csv": Format("CSV, a row per box", tables.read, tables.write),
    "labelme": Format("LabelMe, a JSON file per image", labelme.read, labelme.write, labelme.image_place),
    "labelstudio": Format("Label Studio JSON or JSON-MIN", label_studio.read, label_studio.write),
    "cvat": Format("CVAT for images 1.1 XML", cvat.read, cvat.write),
    "vottcsv": Format("VoTT 2 CSV", tables.read, tables.write_vott),
    "vott": Format("VoTT 2 JSON", vott.read_json_export),
    "vott1": Format("VoTT 1, its CNTK export", vott.read_cntk_export),
}

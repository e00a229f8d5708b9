"""CSV: one box per row, in the variants that are about, told by their headers.

    filename,xmin,ymin,xmax,ymax,class              in any order and with other names for the columns; VoTT's among them
    image,x,y,width,height,label                    corner and size
    path,x1,y1,x2,y2,class                          without a header (keras-retinanet)
    label,x,y,width,height,image,width,height       without a header (makesense.ai)
    image,x1,y1,x2,y2,class,width,height            without a header (SKU110K)
    ImageID,...,LabelName,...,XMin,XMax,YMin,YMax   fractions of the image (Open Images); IsGroupOf is a crowd
    filename,...,region_shape_attributes,...        shapes as JSON (VGG Image Annotator)

A row with an image and nothing else says that the image has no objects. Boxes are fractions of the image where most of
a file's lie between 0 and 1: in pixels they would be next to nothing.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from helpers.base.errors import UserError
from helpers.base.images import PHOTO_SUFFIXES
from helpers.formats import via_regions
from helpers.formats.exported import ExportedImage
from helpers.formats.reading import one_line, read_text
from helpers.formats.records import Dropped, Record, read_objects, read_shared_file
from helpers.formats.shapes import Box
from helpers.formats.source import Source
from helpers.formats.values import Size, Unreadable, class_name, number, positive_size, show

COLUMNS = {  # our name -> names in headers, in small letters without "_", "-" and spaces
    "image": "filename file image imagename imagepath path img imageid imagefile filepath externalid",
    "label": "class label classname labelname category categoryname name object tag",
    "x1": "xmin x1 left xtl bboxxmin bboxx1",
    "y1": "ymin y1 top ytl bboxymin bboxy1",
    "x2": "xmax x2 right xbr bboxxmax bboxx2",
    "y2": "ymax y2 bottom ybr bboxymax bboxy2",
    "x": "x bboxx boxx bboxleft",
    "y": "y bboxy boxy bboxtop",
    "w": "width w bboxwidth boxwidth bboxw bw",
    "h": "height h bboxheight boxheight bboxh bh",
    "image_width": "imagewidth imgwidth imgw",
    "image_height": "imageheight imgheight imgh",
    "crowd": "isgroupof iscrowd difficult",
    "split": "split set subset partition usage datasetsplit dataset imageset",
}
MEANING = {name: ours for ours, names in COLUMNS.items() for name in names.split()}
MAX_FRACTION = 1.5  # boxes stick out of their image, and rounding adds to that
CORNERS, SIZES = ("x1", "y1", "x2", "y2"), ("x", "y", "w", "h")
WITHOUT_HEADER = (
    ("image", *CORNERS, "label"),
    ("label", *SIZES, "image", "image_width", "image_height"),
    ("image", *CORNERS, "label", "image_width", "image_height"),
)


Cells = dict[str, str]  # of a row, by column
Row = tuple[int, list[str]]  # its number in the file, and its fields


@dataclass(frozen=True)
class _Kind:
    """A variant: where the columns are, the rows below the header, and how a row's class and box are read."""

    columns: dict[str, int]
    rows: list[Row]
    class_of: Callable[[Cells], str]
    box_of: Callable[[Cells], Box]


@dataclass
class _Mentions:
    """What the rows of a file say of one image."""

    names: tuple[str, ...]
    items: list[tuple[str, Cells]] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    sizes: set[Size | None] = field(default_factory=set)
    splits: set[str] = field(default_factory=set)


def read(source: Source) -> list[Record]:
    """One `Record` per image of each file."""
    records = []
    for path in source.files(".csv", ".tsv"):
        rows = read_shared_file(path, _rows)
        with source.guard(path):
            records += _records(source, path, rows)
    return records


def _records(source: Source, path: Path, rows: list[Row]) -> list[Record]:
    if not rows:
        raise Unreadable("has no rows")
    kind = _kind_of(rows)
    images = _mentions(source, path, kind.columns, kind.rows, width=len(rows[0][1]))
    found = {name: read_objects(image.items, kind.class_of, kind.box_of, _is_crowd) for name, image in images.items()}
    relative = _are_fractions([item.box for objects, _ in found.values() for item in objects])
    records = []
    for name, image in images.items():
        objects, dropped = found[name]
        dropped += tuple(image.dropped)
        if len(image.sizes) > 1:
            dropped += (Dropped("", "has rows with different sizes of the image"),)
        size = None if relative else next(iter(image.sizes))
        split = " and ".join(sorted(filter(None, image.splits)))  # the same in each row, as a rule
        records.append(Record(path, image.names, objects, dropped, size, relative, split, f"image {show(name)}"))
    return records


def _mentions(source: Source, path: Path, columns: dict[str, int], rows: list[Row], width: int) -> dict[str, _Mentions]:
    """{name: what the rows say of the image}; width: how many fields a row should have at most."""
    images: dict[str, _Mentions] = {}
    last: _Mentions | None = None  # of the row above
    waiting: list[Dropped] = []  # rows without a name, which may be of the image above or of the next one
    for row, fields in rows:
        cells = {column: fields[index].strip() if index < len(fields) else "" for column, index in columns.items()}
        where, name = f"row {row}", cells.get("image") or cells.get("filename")
        if not name:
            source.note(path, "left out: names no image", where)
            waiting.append(Dropped(where, "names no image, perhaps this one"))
            if last:
                last.dropped.append(waiting[-1])
            continue
        split = cells.pop("split", "")
        names, doubt = source.images.names_in(split, name)
        last = images.setdefault(names[0], _Mentions(names))
        last.names = names
        last.splits.add(split)
        last.sizes.add(positive_size(cells.get("image_width", ""), cells.get("image_height", "")))
        last.dropped += [*doubt, *waiting]
        waiting = []
        if any(value.strip() for value in fields[width:]):
            last.dropped.append(Dropped(where, f"has more than {width} values; put quotes around commas"))
        last.items += [] if _says_nothing(cells) else [(where, cells)]
    return images


def _kind_of(rows: list[Row]) -> _Kind:
    """The variant that a file is, told by its header."""
    header = rows[0][1]
    if via_regions.SHAPE not in header:
        columns, rows = _columns(rows)
        return _Kind(columns, rows, _class, _box)
    columns = {name: index for index, name in enumerate(header)}
    for name in via_regions.NEEDED:
        if name not in columns:
            raise Unreadable(f"no column {name}")
    return _Kind(columns, rows[1:], via_regions.class_of_region, via_regions.box_of_region)


def _are_fractions(boxes: list[Box]) -> bool:
    """Whether most boxes, of those that have an area, are fractions of the image."""
    boxes = [box for box in boxes if box[0] != box[2] and box[1] != box[3]]
    return 2 * sum(max(map(abs, box)) <= MAX_FRACTION for box in boxes) > len(boxes)


def _rows(path: Path) -> list[Row]:
    """[(row number, fields)] of the rows that are not blank; the separator is the most frequent one of the first."""
    text = read_text(path)
    first = text.lstrip().split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    rows = []
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                rows.append((reader.line_num, fields))
    except csv.Error as error:
        raise UserError(f"{path}, row {reader.line_num}: not readable CSV ({one_line(error)})") from error
    return rows


def _columns(rows: list[Row]) -> tuple[dict[str, int], list[Row]]:
    """({our name: column}, rows without the header)."""
    header = rows[0][1]
    columns: dict[str, int] = {}
    for index, name in enumerate(header):
        ours = MEANING.get("".join(letter for letter in name.casefold() if letter.isalnum()))
        if ours:
            columns.setdefault(ours, index)
    if "image" in columns and "label" in columns:
        if all(name in columns for name in CORNERS):  # "width" and "height" are those of the image then
            for side, name in (("image_width", "w"), ("image_height", "h")):
                if name in columns:
                    columns.setdefault(side, columns.pop(name))
            return columns, rows[1:]
        # of x1 and x the latter counts, where both are there
        corner = {axis: columns[name] for axis in ("x", "y") for name in (f"{axis}1", axis) if name in columns}
        if len(corner) == 2 and "w" in columns and "h" in columns:
            return {name: column for name, column in {**columns, **corner}.items() if name not in CORNERS}, rows[1:]
    fitting = [names for names in WITHOUT_HEADER if len(names) == len(header)]
    if fitting and _is_number_or_empty(header[1:5]):
        with_suffix = [names for names in fitting if header[names.index("image")].lower().endswith(PHOTO_SUFFIXES)]
        return {name: index for index, name in enumerate((with_suffix or fitting)[0])}, rows
    raise Unreadable(
        f"header {show(','.join(header))} is not understood; write filename,xmin,ymin,xmax,ymax,class above the columns"
    )


def _is_number_or_empty(fields: list[str]) -> bool:
    try:
        return all(field.strip() == "" for field in fields) or all(number(field, "") is not None for field in fields)
    except Unreadable:
        return False


def _says_nothing(cells: Cells) -> bool:
    """Whether a row has neither box nor class: there is no object on the image."""
    if via_regions.SHAPE in cells:
        return via_regions.is_empty(cells)
    return not any(cells[name] for name in ("label", *_box_columns(cells)))


def _box_columns(cells: Cells) -> tuple[str, ...]:
    return CORNERS if "x1" in cells else SIZES


def _class(cells: Cells) -> str:
    return class_name(cells["label"])


def _is_crowd(cells: Cells) -> bool:
    return cells.get("crowd", "").casefold() in ("1", "true", "yes")


def _box(cells: Cells) -> Box:
    names = _box_columns(cells)
    if not any(cells[name] for name in names):
        raise Unreadable(f"has class {show(cells['label'])} and no box")
    a, b, c, d = (number(cells[name], name) for name in names)
    if names is SIZES and min(c, d) < 0:
        raise Unreadable("negative width or height")
    return (a, b, c, d) if names is CORNERS else (a, b, a + c, b + d)


def write(
    images: Sequence[ExportedImage], header: str = "filename,xmin,ymin,xmax,ymax,class", name: str = "annotations.csv"
) -> dict[str, str]:
    """{file name: text}; an image without objects has a row with nothing but its name."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header.split(","))
    for image in images:
        for box, label, _ in image.objects:
            table.writerow([image.key, *(f"{value:.10g}" for value in box), label])
        if not image.objects:
            table.writerow([image.key, "", "", "", "", ""])
    return {name: text.getvalue()}


def write_vott(images: Sequence[ExportedImage]) -> dict[str, str]:
    """The same with the header and file name of VoTT's CSV export."""
    return write(images, "image,xmin,ymin,xmax,ymax,label", "vott-csv-export/export.csv")

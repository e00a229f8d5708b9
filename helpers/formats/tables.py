"""CSV: one box a row, in the variants that are about, told by their headers.

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
import json
from collections import defaultdict

from helpers.base.errors import UserError
from helpers.base.images import PHOTO_SUFFIXES
from helpers.formats.reading import one_line, read_text
from helpers.formats.records import Dropped, Record, read_shared_file, read_things
from helpers.formats.shapes import bounds, ellipse_bounds
from helpers.formats.values import Unreadable, class_name, number, positive_size, show

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


def read(source):
    """One `Record` an image of each file."""
    records = []
    for path in source.files(".csv", ".tsv"):
        rows = read_shared_file(path, _rows)
        with source.guard(path):
            records += _records(source, path, rows)
    return records


def _records(source, path, rows):
    if not rows:
        raise Unreadable("has no rows")
    width = len(rows[0][1])
    if "region_shape_attributes" in rows[0][1]:
        columns, rows = {name: index for index, name in enumerate(rows[0][1])}, rows[1:]
        class_of, box_of = _class_of_region, _box_of_region
        for name in ("filename", "region_attributes"):
            if name not in columns:
                raise Unreadable(f"no column {name}")
    else:
        columns, rows = _columns(rows)
        class_of, box_of = _class, _box
    items, sizes, spoiled, splits = defaultdict(list), defaultdict(set), defaultdict(list), defaultdict(set)
    name, names_of, waiting = None, {}, []  # the image of the row above; rows that may be of it or of the next one
    for row, fields in rows:
        cells = {column: fields[index].strip() if index < len(fields) else "" for column, index in columns.items()}
        if not (cells.get("image") or cells.get("filename")):
            source.note(path, "left out: names no image", f"row {row}")
            waiting.append(Dropped(f"row {row}", "names no image, perhaps this one"))
            spoiled[name].append(waiting[-1])
            continue
        split = cells.pop("split", "")
        names, doubt = source.images.names_in(split, cells.get("image") or cells["filename"])
        name = names[0]
        spoiled[name] += doubt
        names_of[name] = names
        splits[name].add(split)
        spoiled[name] += waiting
        waiting = []
        sizes[name].add(positive_size(cells.get("image_width", ""), cells.get("image_height", "")))
        if any(field.strip() for field in fields[width:]):
            spoiled[name].append(Dropped(f"row {row}", f"has more than {width} values; put quotes around commas"))
        items[name] += [] if _says_nothing(cells) else [(f"row {row}", cells)]
    found = {name: read_things(items[name], class_of, box_of, _is_crowd) for name in sizes}
    relative = _are_fractions([thing.box for things, _ in found.values() for thing in things])
    records = []
    for name, (things, dropped) in found.items():
        dropped += tuple(spoiled[name])
        if len(sizes[name]) > 1:
            dropped += (Dropped("", "has rows with different sizes of the image"),)
        size = None if relative else next(iter(sizes[name]))
        split = " and ".join(sorted(filter(None, splits[name])))  # the same in each row, as a rule
        records.append(Record(path, names_of[name], things, dropped, size, relative, split, f"image {show(name)}"))
    return records


def _are_fractions(boxes):
    """Whether most boxes, of those that have an area, are fractions of the image."""
    boxes = [box for box in boxes if box[0] != box[2] and box[1] != box[3]]
    return 2 * sum(max(map(abs, box)) <= MAX_FRACTION for box in boxes) > len(boxes)


def _rows(path):
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


def _columns(rows):
    """({our name: column}, rows without the header)."""
    header = rows[0][1]
    columns = {}
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
        corner = {name: columns.get(name, columns.get(other)) for name, other in (("x", "x1"), ("y", "y1"))}
        if None not in corner.values() and "w" in columns and "h" in columns:
            return {name: column for name, column in {**columns, **corner}.items() if name not in CORNERS}, rows[1:]
    fitting = [names for names in WITHOUT_HEADER if len(names) == len(header)]
    if fitting and _is_number_or_empty(header[1:5]):
        with_suffix = [names for names in fitting if header[names.index("image")].lower().endswith(PHOTO_SUFFIXES)]
        return {name: index for index, name in enumerate((with_suffix or fitting)[0])}, rows
    raise Unreadable(
        f"header {show(','.join(header))} is not understood; write filename,xmin,ymin,xmax,ymax,class above the columns"
    )


def _is_number_or_empty(fields):
    try:
        return all(field.strip() == "" for field in fields) or all(number(field, "") is not None for field in fields)
    except Unreadable:
        return False


def _says_nothing(cells):
    """Whether a row has neither box nor class: there is no object on the image."""
    if "region_shape_attributes" in cells:
        return {cells["region_shape_attributes"], cells["region_attributes"]} <= {"", "{}"}
    return not any(cells[name] for name in ("label", *_box_columns(cells)))


def _box_columns(cells):
    return CORNERS if "x1" in cells else SIZES


def _class(cells):
    return class_name(cells["label"])


def _is_crowd(cells):
    return cells.get("crowd", "").casefold() in ("1", "true", "yes")


def _box(cells):
    names = _box_columns(cells)
    if not any(cells[name] for name in names):
        raise Unreadable(f"has class {show(cells['label'])} and no box")
    a, b, c, d = (number(cells[name], name) for name in names)
    if names is SIZES and min(c, d) < 0:
        raise Unreadable("negative width or height")
    return (a, b, c, d) if names is CORNERS else (a, b, a + c, b + d)


def _attributes(text):
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not readable JSON ({one_line(error)})") from error
    if not isinstance(value, dict):
        raise Unreadable("region attributes are not JSON objects")
    return value


def _class_of_region(cells):
    attributes = _attributes(cells["region_attributes"])
    labels = [attributes[name] for name in ("class", "label", "name", "type", "category") if name in attributes]
    labels = labels or list(attributes.values())
    label = labels[0] if labels else ""
    if isinstance(label, dict):  # check boxes
        ticked = [name for name, is_set in label.items() if is_set is True]
        if len(ticked) > 1:
            raise Unreadable(f"has several classes, {show(', '.join(ticked))}")
        label = ticked[0] if ticked else ""
    return class_name(label)


def _box_of_region(cells):
    shape = _attributes(cells["region_shape_attributes"])

    def value(name):
        return number(shape.get(name), name)

    kind = shape.get("name")
    if kind == "rect":
        return value("x"), value("y"), value("x") + value("width"), value("y") + value("height")
    if kind == "circle":
        return ellipse_bounds((value("cx"), value("cy")), (value("r"), value("r")))
    if kind == "ellipse":  # theta in radians
        angle = number(shape.get("theta", 0), "theta") * 57.29577951308232
        return ellipse_bounds((value("cx"), value("cy")), (value("rx"), value("ry")), angle)
    xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
    if isinstance(xs, list) and isinstance(ys, list) and len(xs) == len(ys) and kind != "polyline":
        return bounds([(number(x, "x"), number(y, "y")) for x, y in zip(xs, ys, strict=True)])
    raise Unreadable(f"shape {show(kind)} has no area")


def write(images, header="filename,xmin,ymin,xmax,ymax,class", name="annotations.csv"):
    """{file name: text}; an image without objects has a row with nothing but its name."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header.split(","))
    for image in images:
        for box, label, _ in image.things:
            table.writerow([image.key, *(f"{value:.10g}" for value in box), label])
        if not image.things:
            table.writerow([image.key, "", "", "", "", ""])
    return {name: text.getvalue()}


def write_vott(images):
    """The same with the header and file name of VoTT's CSV export."""
    return write(images, "image,xmin,ymin,xmax,ymax,label", "vott-csv-export/export.csv")

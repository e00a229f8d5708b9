"""Files of class names for YOLO: data.yaml with a list or a table `names`, or one name per row.

Names are text as they are written: YAML 1.1 would take 010 for 8, 1.10 for 1.1, 12:30 for 750, no for false and ~ for
nothing. So the YAML is read for its structure alone, and what a scalar may mean besides its text is not asked.
"""

from pathlib import Path

import yaml

from helpers.base.errors import UserError
from helpers.formats.reading import one_line, read_text
from helpers.formats.source import Source
from helpers.formats.values import Unreadable, class_name, number, show

CLASS_FILES = (
    "data.yaml", "dataset.yaml", "data.yml", "dataset.yml", "classes.txt", "obj.names", "classes.names",
    "_darknet.labels",
)  # fmt: skip
MAX_BYTES = 10_000_000
PLAIN_TAGS = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))


def find_class_file(source: Source) -> Path:
    """The file of class names of a `Source`: in its folder, else below it, else in the folder above.

    In its folder a YAML file of any name counts as well, where there is none of the usual ones.

    Raises:
        UserError: where there is none, and where two in the source's folder or below it give a class two names.
    """
    start = source.path if source.path.is_dir() else source.path.parent
    found = [start / name for name in CLASS_FILES if (start / name).is_file()]
    if source.path.is_dir():
        below = [
            path for path in source.files(".txt", ".yaml", ".yml", ".names", ".labels") if path.name in CLASS_FILES
        ]
        found += [path for path in below if path not in found and not _is_about_a_photo(source, path)]
    found = found or [path for path in sorted([*start.glob("*.yaml"), *start.glob("*.yml")]) if _names_in(path)]
    found = found or [start.parent / name for name in CLASS_FILES if (start.parent / name).is_file()][:1]
    if not found:
        raise UserError(f"{source.path}: no file of class names ({', '.join(CLASS_FILES)}); name it with --classFile")
    names, _ = read_class_file(found[0])
    for path in found[1:]:
        for class_id, name in _names_in(path).items():
            if names.get(class_id, name) != name:
                other = f"{show(names[class_id])} in {found[0]}"
                raise UserError(
                    f"{path}: class {class_id} is {show(name)}, but {other}; name the right file with --classFile"
                )
    return found[0]


def _is_about_a_photo(source: Source, path: Path) -> bool:
    """Whether a file is the label file of a photo called classes.jpg."""
    try:
        return path.suffix == ".txt" and bool(source.images.find((path.stem,), path, strict=True))
    except Unreadable:
        return False


def _names_in(path: Path) -> dict[int, str]:
    try:
        return read_class_file(path)[0]
    except UserError:  # a data.yaml without names, or a YAML file about something else
        return {}


def read_class_file(path: Path) -> tuple[dict[int, str], bool]:
    """({number: class name}, whether key points follow the boxes).

    Raises:
        UserError: for a number or a name that comes twice.
    """
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path}: larger than {MAX_BYTES // 10**6} MB, too large for class names")
    text = read_text(path)
    pairs: list[tuple[object, object]] = list(enumerate(text.rstrip().splitlines()))
    has_key_points = False
    if path.suffix.lower() in (".yaml", ".yml"):
        pairs, has_key_points = _read_yaml(path, text)
    classes: dict[int, str] = {}
    numbers: dict[str, float] = {}
    for key, value in pairs:
        try:
            class_id, name = number(key, "class number"), class_name(value)
        except Unreadable as error:
            raise UserError(f"{path}: {error}") from None
        if not class_id.is_integer() or class_id < 0:
            raise UserError(f"{path}: class number {show(str(key))} is not a whole number from 0 on")
        if class_id in classes:
            raise UserError(f"{path}: class number {show(str(key))} comes twice")
        if name and name in numbers:
            raise UserError(
                f"{path}: class {show(name)} comes twice, as number {numbers[name]:g} and {class_id:g}; give one of "
                "them another name"
            )
        classes[int(class_id)], numbers[name] = name, class_id
    if not classes:
        raise UserError(f'{path}: no list "names" of classes')
    return classes, has_key_points


def _read_yaml(path: Path, text: str) -> tuple[list[tuple[object, object]], bool]:
    """([(number, name)], whether there are key points) with numbers and names as texts."""
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)  # resolves no scalar
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not readable YAML ({one_line(error)})") from error
    entries = [(key.value, value) for key, value in root.value] if isinstance(root, yaml.MappingNode) else []
    names = [value for key, value in entries if key == "names"]
    if len(names) > 1:
        raise UserError(f'{path}: "names" comes twice')
    pairs: list[tuple[yaml.Node, yaml.Node]] = []
    if names and isinstance(names[0], yaml.MappingNode):
        pairs = names[0].value
    elif names and isinstance(names[0], yaml.SequenceNode):
        pairs = [(yaml.ScalarNode(PLAIN_TAGS[0], str(place)), node) for place, node in enumerate(names[0].value)]
    for node in (*names, *(node for pair in pairs for node in pair)):
        if node.tag not in PLAIN_TAGS:
            raise UserError(f"{path}: {show(node.tag)} is not read; write class names as text")
    key_points = [value for key, value in entries if key == "kpt_shape"]
    return [(_text(key), _text(name)) for key, name in pairs], bool(key_points and key_points[0].value)


def _text(node: yaml.Node) -> object:
    """The text of a scalar; of anything else something that is neither a number nor a name."""
    return node.value if isinstance(node, yaml.ScalarNode) else []

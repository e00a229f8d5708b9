"""The names after --classes and --rename, compared with the classes that the annotations have."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from helpers.base.errors import UserError
from helpers.config.labels import BACKGROUND, IGNORED_LABELS
from helpers.config.schema import declared
from helpers.formats.records import Record
from helpers.formats.source import Source
from helpers.formats.values import Unreadable, show

EXCLUDE, UNDECIDED = IGNORED_LABELS
OWN_WORDS = {"__ignore__": EXCLUDE, "_background_": BACKGROUND}  # LabelMe's, and what was made of its files
SHOWN = 50  # names in a message


@dataclass(frozen=True)
class ClassRules:
    """Which classes are wanted (empty: all), and new names {old: new}."""

    wanted: tuple[str, ...] = ()
    renamed: dict[str, str] = field(default_factory=dict)

    def label(self, name: str, ignored: bool, where: str) -> str | None:
        """The label in the data set of an object whose class has a name, or None where its class is not wanted.

        Raises:
            Unreadable: with the place of the object, for a name that no class can have.
        """
        label = self.renamed.get(name) or OWN_WORDS.get(name, name)
        if label in IGNORED_LABELS:
            return label
        if not label:
            return UNDECIDED
        if label == BACKGROUND:
            return None
        try:
            declared()["classes"].check((label,))
        except ValueError:
            raise Unreadable(
                f'{where}: class {show(label)} must have no comma; give it another one with --rename "{label}=NAME"'
            ) from None
        if self.wanted and label not in self.wanted:
            return None
        return EXCLUDE if ignored else label


def class_rules(
    source: Source, records: Iterable[Record], wanted: Sequence[str], renamings: Sequence[str]
) -> ClassRules:
    """`ClassRules` after the options; a name in other letters (small ones for capitals) is taken with a note.

    Args:
        wanted: names.
        renamings: texts "OLD=NEW".

    Raises:
        UserError: for a class that no annotation has, and lists those that there are.
    """
    there = {label for record in records for label in _labels(record) if label}
    pairs = [_pair(text) for text in renamings]
    renamed: dict[str, str] = {}
    for text, old, new in pairs:
        old = _known(source, "--rename", old, there)
        if old in renamed:
            raise UserError(f'--rename "{text}": "{old}" has got another name before, "{renamed[old]}"')
        renamed[old] = new
    after = {renamed.get(label) or OWN_WORDS.get(label, label) for label in there} - {BACKGROUND}
    return ClassRules(tuple(_known(source, "--classes", name, after) for name in wanted), renamed)


def _labels(record: Record) -> list[str | None]:
    return [item.label for item in record.objects] + [item.label for item in record.dropped]


def _pair(text: str) -> tuple[str, str, str]:
    """(the text, OLD, NEW) of "OLD=NEW"."""
    old, equals, new = (part.strip() for part in text.partition("="))
    if not equals or not old or not new:
        raise UserError(f'--rename "{text}": write it as "OLD=NEW"')
    try:
        declared()["classes"].check((new,))
    except ValueError:
        raise UserError(f'--rename "{text}": "{new}" must be {declared()["classes"].words}') from None
    if new == BACKGROUND:
        raise UserError(f'--rename "{text}": {new} is what has no box; write {IGNORED_LABELS[0]} to ignore such boxes')
    return text, old, new


def _known(source: Source, option: str, name: str, there: set[str]) -> str:
    """The class that is meant by a name.

    Raises:
        UserError: where there is none.
    """
    if name in there:
        return name
    like = [label for label in sorted(there) if _plain(label) == _plain(name)]
    if len(like) == 1:
        source.note(source.path, f'{option}: "{name}" is taken for "{like[0]}", which is how the annotations write it')
        return like[0]
    near = difflib.get_close_matches(_plain(name), sorted(map(_plain, there)), n=1, cutoff=0.6)
    hint = f', did you mean "{next(label for label in sorted(there) if _plain(label) == near[0])}"?' if near else ""
    listed = ", ".join(sorted(there)[:SHOWN]) + (f" and {len(there) - SHOWN} more" if len(there) > SHOWN else "")
    raise UserError(f'{option}: no box of a class "{name}" in {source.path}{hint}; there are: {listed or "none"}')


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())

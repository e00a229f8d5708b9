"""What step 0 finds out about a data set: its images, and what is wrong with them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from helpers.base.errors import printable
from helpers.dataset.annotations import Annotation, Problem
from helpers.dataset.duplicates import Look
from helpers.dataset.image_files import ImageFile
from helpers.formats.own_layout import TEST_SUBDIRS

MAX_SHOWN, MAX_SHOWN_OF_FILE = 500, 20  # lines of each level, and of one file among them


@dataclass(frozen=True)
class CheckedImage:
    """What is known of one image: size (width, height) as displayed and `Look`, None for an unreadable one."""

    image: ImageFile
    size: tuple[int, int] | None
    look: Look | None
    annotation: Annotation
    problems: list[Problem]

    @property
    def is_test(self) -> bool:
        """Whether it is tested on."""
        return self.image.subdir in TEST_SUBDIRS


@dataclass(frozen=True)
class Report:
    """All problems, errors first, with paths relative to the data set's folder, and all images."""

    problems: list[Problem]
    images: list[CheckedImage]

    def lines(self) -> list[str]:
        """The problems as lines; of many in a file, and of very many, the first and the number of the others."""
        shown = []
        for level, problems in groupby(self.problems, key=lambda problem: problem.level):
            listed: list[Problem] = []
            of_file: Counter[Path | str] = Counter()
            hidden: Counter[Path | str] = Counter()
            for problem in problems:
                of_file[problem.path] += 1
                if len(listed) < MAX_SHOWN and of_file[problem.path] <= MAX_SHOWN_OF_FILE:
                    listed.append(problem)
                else:
                    hidden[problem.path] += 1
            shown += [f"{level.upper()}: {problem}" for problem in listed]
            if hidden:
                where = printable(next(iter(hidden))) if len(hidden) == 1 else f"{len(hidden)} files"
                rest = f"{hidden.total()} more in {where}; see to those above, then run this again"
                shown.append(f"{level.upper()}: {rest}")
        return shown

    def count(self, level: str) -> int:
        """The number of problems of level "error" or "warning"."""
        return sum(problem.level == level for problem in self.problems)

    @property
    def exit_code(self) -> int:
        """1 where there is an error."""
        return 1 if self.count("error") else 0


def count_boxes(checked: Iterable[CheckedImage], is_test: bool) -> Counter[str]:
    """Boxes of each label, EXCLUDE and UNDECIDED among them, in the training or the test images."""
    return Counter(label for image in checked if image.is_test == is_test for label in image.annotation.labels)

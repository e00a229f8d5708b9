"""Tables as lists of rows, the first one the head: aligned for the screen, tab-separated for files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.base.files import write_text

Table = Sequence[Sequence[str]]


def number(value: float | None, digits: int = 3) -> str:
    """A number with fixed digits, or "-" for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def counted(count: int, noun: str) -> str:
    """A number with its noun: "1 image", "2 images", "3 boxes"."""
    return f"{count} {noun}" + ("" if count == 1 else "es" if noun[-1] in "xs" else "s")


def format_table(table: Table) -> str:
    """Columns padded to equal width: text to the left, everything else to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def markdown_table(table: Table) -> str:
    """The same for a page in Markdown: the first column to the left, numbers to the right."""
    rule = ["---", *["---:"] * (len(table[0]) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [table[0], rule, *table[1:]])


def write_table(path: Path, table: Table) -> None:
    """Write a table as tab-separated text at once or not at all."""
    write_text(path, "".join("\t".join(row) + "\n" for row in table))


def evaluation_table(result: Mapping[str, Any]) -> list[list[str]]:
    """The rows of an evaluation: objects, AP at the wanted IoU and at 0.7, COCO's AP of each class, then the means."""
    threshold = f"{result['overlapThreshold']:g}"
    table = [["class", "objects", f"AP@{threshold}", "AP@0.7", "AP@0.5:0.95"]]
    for name, ap in result["AP"].items():
        cells = ap, result["AP_0.7"][name], result["cocoAP50_95_byClass"][name]
        table.append([name, str(result["nrObjects"][name]), *map(number, cells)])
    means = result["mAP"], result["mAP_0.7"], result["cocoAP50_95"]
    table.append(["mean", str(sum(result["nrObjects"].values())), *map(number, means)])
    return table

"""Walking through folders in a fixed order, links to folders among them, each real folder once."""

import os
from pathlib import Path
from typing import NoReturn

from helpers.base.errors import UserError

MAX_FILES = 1_000_000
OF_DISKS = ("lost+found", "System Volume Information", "$RECYCLE.BIN")  # folders of a disk's own, not to be read


def walk(root: Path) -> tuple[list[tuple[Path, list[str]]], list[tuple[Path, Path]]]:
    """([(folder, names of its files)], [(link, folder)]) below a folder, without hidden ones, in a fixed order.

    Links to folders are followed, after all that lies below the root itself; a link to a folder that was walked through
    already is in the second list instead, with the path that the folder has there. A link that leads back to a folder
    above it is passed over.

    Raises:
        UserError: for a folder that cannot be read, and for more than `MAX_FILES` files.
    """
    found: list[tuple[Path, list[str]]] = []
    links: list[tuple[Path, Path]] = []
    seen: dict[Path, Path] = {}
    count = 0
    waiting = [Path(root)]
    while waiting:
        top = waiting.pop(0)
        real = Path(os.path.realpath(top))
        if top != Path(root) and Path(os.path.realpath(top.parent)).is_relative_to(real):
            continue
        for where, folders, names in os.walk(top, onerror=_refuse):
            folder, here = Path(where), Path(os.path.realpath(where))
            if here in seen:  # below a link, what has been walked through on another way
                links.append((folder, seen[here]))
                folders.clear()
                continue
            seen[here] = folder
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in OF_DISKS)
            waiting += [folder / name for name in folders if (folder / name).is_symlink()]
            count += len(names)
            if count > MAX_FILES:
                raise UserError(f"{root}: more than {MAX_FILES:,} files; name a folder with fewer")
            found.append((folder, sorted(name for name in names if not name.startswith("."))))
    return found, links


def _refuse(error: OSError) -> NoReturn:
    raise UserError(f"{error.filename}: cannot be read ({error.strerror}); make it readable, or name another folder")

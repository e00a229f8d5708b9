"""Files to fetch, and what is in a folder afterwards."""

import hashlib


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())

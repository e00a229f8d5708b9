"""Prints what run.py says of the first run: the GB that the packages of requirements.txt are to download and on disk.

    .venv/bin/python dev/install_size.py

To download: the lengths of the files that pip would choose now, for this machine and this Python. On disk: the files of
the same packages as they are installed beside this Python, by their own records.
"""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parent.parent
GB = 1e9


def chosen_packages(requirements):
    """Name -> address of every file that pip would download for a file of requirements."""
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--dry-run", "--ignore-installed", "--report", "-"]
    report = subprocess.run([*pip, "-r", str(requirements)], check=True, stdout=subprocess.PIPE).stdout
    return {package["metadata"]["name"]: package["download_info"]["url"] for package in json.loads(report)["install"]}


def bytes_of(url):
    """The length of a file at an address, by its head."""
    with urlopen(Request(url, method="HEAD")) as answer:
        return int(answer.headers["Content-Length"])


def bytes_on_disk(name):
    """The bytes of an installed package's files."""
    paths = (file.locate() for file in files(name) or ())
    return sum(path.stat().st_size for path in paths if path.is_file())


def main():
    packages = chosen_packages(ROOT / "requirements.txt")
    installed = {}
    for name in packages:
        try:
            installed[name] = bytes_on_disk(name)
        except PackageNotFoundError:
            print(f"NOTE: {name} is not installed here", file=sys.stderr)
    download = sum(map(bytes_of, packages.values()))
    print(
        f"{len(packages)} packages: {download / GB:.1f} GB to download, {sum(installed.values()) / GB:.1f} GB of disk"
    )


if __name__ == "__main__":
    main()

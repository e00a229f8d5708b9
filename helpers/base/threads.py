"""How many threads compute: decided by PARAMETERS.py and this machine, never by the environment of a single run."""

import os

import psutil

from helpers.base.errors import UserError


def physical_cores() -> int:
    """The cores of this machine, whichever of them this process may use at the moment."""
    return psutil.cpu_count(logical=False) or os.cpu_count() or 1


def require_threads(count: int) -> None:
    """Raise `UserError` where OpenMP was told to take fewer threads than `count` whatever a program asks for."""
    limit = os.environ.get("OMP_THREAD_LIMIT", "").strip()
    if limit.isdigit() and int(limit) < count:
        raise UserError(
            f"OMP_THREAD_LIMIT={limit} in the environment, but network_threads = {count}: unset the one, or set the "
            f"other with --set network_threads={limit}"
        )
    if os.environ.get("OMP_DYNAMIC", "").strip().lower() in ("true", "1") and count > 1:
        raise UserError(
            "OMP_DYNAMIC in the environment lets the load decide on the number of threads, and with it on the last "
            "digits of every result: unset it, or set network_threads=1"
        )

"""How this process gets its memory from the operating system."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
KEPT = 2**29  # bytes that were freed and are kept for what comes next, at most
LARGEST_KEPT = 2**28  # bytes: a block above it comes from the system and goes back to it


def keep_freed_memory() -> bool:
    """Take large blocks from what was freed before, and not from the system each time; True where that can be had.

    A layer's map takes tens of MB. By default glibc gives such a block back as soon as it is freed, and the next
    layer's comes as pages that are zeroed and mapped at their first touch: a quarter of the time of a small network.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's; musl has none
    return mallopt is not None and bool(mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT) and mallopt(M_TRIM_THRESHOLD, KEPT))

"""Keys of the annotation windows, by name: OpenCV says something else of the same key on every system."""

import sys

IS_X11 = sys.platform.startswith("linux")
ENTER, BACKSPACE, ESCAPE, SHIFT = "enter", "backspace", "\x1b", "shift"
LEFT, UP, RIGHT, DOWN = "left", "up", "right", "down"
_NAMES = {
    8: BACKSPACE, 127: BACKSPACE, 10: ENTER, 13: ENTER, 27: ESCAPE, 0xFF08: BACKSPACE, 0xFF0D: ENTER, 0xFF8D: ENTER,
    0xFFE1: SHIFT, 0xFFE2: SHIFT,
    0xFF51: LEFT, 0xFF52: UP, 0xFF53: RIGHT, 0xFF54: DOWN,  # X11
    0x250000: LEFT, 0x260000: UP, 0x270000: RIGHT, 0x280000: DOWN,  # Windows
    0xF702: LEFT, 0xF700: UP, 0xF703: RIGHT, 0xF701: DOWN,  # macOS
}  # fmt: skip
# X11's keysyms before Unicode: the second byte says which character set the first one belongs to (X11/keysymdef.h)
_CHARSETS = {1: "iso8859-2", 2: "iso8859-3", 3: "iso8859-4", 5: "iso8859-6", 6: "koi8-r", 7: "iso8859-7",
             0x0C: "iso8859-8", 0x0D: "tis-620"}  # fmt: skip
_UNICODE = 0x01000000  # keysyms from here on are a Unicode character each


def key_name(code: int) -> str:
    """What `cv2.waitKeyEx` returned: a character, one of the names above, or "" for no key and those without use."""
    if -128 <= code < -1:  # Latin-1 in a signed byte, capital letters for all
        return chr(code + 256).lower()
    if code in _NAMES:
        return _NAMES[code]
    if IS_X11 and code >> 8 in _CHARSETS:
        return bytes([code & 0xFF]).decode(_CHARSETS[code >> 8], errors="ignore")
    if _UNICODE < code <= _UNICODE + 0x10FFFF:
        code -= _UNICODE
    if not 32 <= code <= 0x10FFFF or 0xD800 <= code < 0xE000 or 0xF700 <= code < 0x10000:
        return ""  # further keys of macOS and X11 among them
    return chr(code) if chr(code).isprintable() else ""


class Typing:
    """Keys one after the other, small and capital letters as they were meant: one that follows Shift is a capital.

    OpenCV's windows under Linux say "a" for "A", and tell of the Shift key as of any other.
    """

    def __init__(self) -> None:
        self._shift = False

    def key(self, code: int) -> str:
        """The name of a key, as `key_name`; Shift by itself is none."""
        name = key_name(code)
        if name == SHIFT:
            self._shift = True
            return ""
        if name and self._shift:
            self._shift = False
            return name.upper() if len(name) == 1 else name
        return name

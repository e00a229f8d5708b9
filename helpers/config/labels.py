"""Names of classes with a meaning of their own."""

BACKGROUND = "__background__"  # class 0
IGNORED_LABELS = ("EXCLUDE", "UNDECIDED")  # boxes that are neither positive nor negative

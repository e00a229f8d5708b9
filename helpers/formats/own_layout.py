"""The names in this project's own layout, the original tutorial's: positive/1.jpg, and 1.bboxes.tsv beside it."""

TRAIN_SUBDIRS, TEST_SUBDIRS = ("positive", "negative"), ("testImages",)
SUBDIRS = TRAIN_SUBDIRS + TEST_SUBDIRS
ANNOTATED_SUBDIRS = ("positive", "testImages")
BOX_SUFFIXES = (".bboxes.tsv", ".bboxes.txt")
LABEL_SUFFIXES = (".bboxes.labels.tsv", ".bboxes.labels.txt")

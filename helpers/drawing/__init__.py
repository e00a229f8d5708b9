"""Boxes on images, captions, plots."""

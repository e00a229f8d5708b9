"""Annotation formats of other tools, read and written: file -> records and back.

helpers/formats/registry.py names them. A reader takes a `Source` and returns `Record`s; a writer takes `ExportedImage`s
and returns {file name: text}. What becomes of the records is the room importing's.
"""

"""Files, formats, images, drawing, parameters: everything that is not the algorithm."""

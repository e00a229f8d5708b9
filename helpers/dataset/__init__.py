"""Images and annotations of a data set, whatever its layout, and what may be wrong with them."""

"""From records of annotation files to a data set: which image is meant, which boxes count, where each photo goes."""

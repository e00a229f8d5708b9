"""The algorithm: arrays and tensors in, arrays and tensors out. Nothing here knows a path or PARAMETERS."""

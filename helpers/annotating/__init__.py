"""The annotation windows of A1 and A2."""

"""The files below proc/ and results/, a module a kind, and the records of what they came from."""

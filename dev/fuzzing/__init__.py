"""The parts of dev/fuzz.py: mutators, kinds of files, a process for each case, and the table of what became of them."""

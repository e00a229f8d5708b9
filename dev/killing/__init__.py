"""The parts of dev/kill.py: what is killed, a process that dies at a chosen moment, and what may be left afterwards."""

"""The parts of a process at work on a plan; each works alone."""

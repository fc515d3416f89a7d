"""The calls of Box that the sandbox answers, by subject."""

"""The shares that can be read, one page per kind."""

"""Input and output with the outside: sources through fsspec, Box through its SDK."""

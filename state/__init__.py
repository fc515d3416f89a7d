"""The checkpoint database: what was found, what was sent, what is left. Knows no source and no Box."""

"""The checkpoint database: what was found, what was sent, what is proven."""

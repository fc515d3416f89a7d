"""Closing: what a cutover needs to be sure that the source stands still, and its steps as a person reads them."""

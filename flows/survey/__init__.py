"""A first look at a share: what is still to be sent, and what no tree holds."""

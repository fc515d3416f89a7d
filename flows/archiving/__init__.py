"""What may be removed at the source, once it is proven to be in Box."""

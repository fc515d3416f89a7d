"""The sentences of the checkpoint, by concern."""

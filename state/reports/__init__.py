"""Reading a whole plan, streamed."""

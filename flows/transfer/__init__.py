"""One share on its way: begin, walk, send, verify, complete, end."""

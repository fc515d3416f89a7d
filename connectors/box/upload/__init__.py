"""How a file gets into Box: one request, or an upload session of parts."""

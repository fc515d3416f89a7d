"""What the sandbox keeps: records, contents, events."""

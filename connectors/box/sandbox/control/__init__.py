"""What a test sets on the sandbox: limits, faults, what it saw."""

"""The preconditions, as rows."""

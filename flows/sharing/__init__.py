"""Who may see a tree."""

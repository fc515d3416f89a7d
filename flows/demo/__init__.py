"""The demo: a sample share, migrated in front of the user."""

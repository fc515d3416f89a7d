"""SMB: one connection, its bytes, its folders and files."""

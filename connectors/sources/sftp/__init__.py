"""SFTP: one connection, what it says of files, its errors."""

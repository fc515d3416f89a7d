"""A folder of a WebDAV server."""

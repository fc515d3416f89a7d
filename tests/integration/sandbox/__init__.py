"""The sandbox held against Box's own SDK, against rclone, against its OpenAPI document, and against itself."""

"""What people do in Box with what was moved."""

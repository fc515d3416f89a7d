"""What is known before: what a share holds, and what a pass over it would do. Sends nothing."""

"""What a share holds and how long it takes. Sends nothing."""

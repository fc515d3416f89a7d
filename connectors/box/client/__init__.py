"""How Box is spoken to: sign-in, transport, budget, retries, outages. Knows no file and no folder."""

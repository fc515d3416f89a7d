"""Diagnosis: what a colleague needs who is asked why a migration does what it does, without a secret in it."""

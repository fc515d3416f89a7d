"""Orchestration: the only code that imports prefect."""

"""Prefect deployments, blocks and automations of a plan."""

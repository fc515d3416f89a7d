"""What is known before: what a share holds, and what a pass over it would do. Sends nothing.

An inventory before the first run fills the checkpoint for it: see filling.py.
"""

"""Box's rules: who may do what, which names are taken, what becomes of an item."""

"""How runs are started, shown, paused and ended."""

"""A witness: follows transparency logs, and cosigns a checkpoint only if it continues the one that it saw before."""

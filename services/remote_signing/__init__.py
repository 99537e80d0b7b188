"""A stand-in for a remote signing provider (CSC API v2), for local use: a process of its own, spoken to over its real protocol."""

"""Benchmarks, each beside a baseline in the same run. A module adds its command by `attach(group)` and imports lazily."""

"""Microbenchmarks of single stages: `python -m benchmarks.microbenchmarks` runs them."""

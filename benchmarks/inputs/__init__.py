"""Reads with a truth that the benchmarks score on."""

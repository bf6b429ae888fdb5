"""Germline small-variant caller: reads as pictures, genotypes from a prompted model."""

__version__ = "0.2.0"

"""Alignment records to the arrays of a window, and what the whole library looks like."""

"""Reads parsed, counted and walked along."""

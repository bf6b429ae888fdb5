"""Candidates found, and what the reads say of them."""

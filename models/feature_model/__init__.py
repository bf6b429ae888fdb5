"""Boosted trees on measured features, and how far they are trusted."""

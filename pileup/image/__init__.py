"""Pileup images, for the model and for people."""

"""Pileup images: 224x224x3 pictures of the reads around a candidate variant."""

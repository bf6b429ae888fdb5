"""Score a call set against a truth set: vcfeval's matching, hap.py's tables."""

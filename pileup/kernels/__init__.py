"""The compiled loops, one file per stage; every kernel has a readable twin in pileup.twins."""

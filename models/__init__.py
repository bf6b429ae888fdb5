"""The prompted model: pileup image, measured features and prompt in; copies of a variant out."""

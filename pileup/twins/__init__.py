"""Each kernel once more, as plain loops that a reader can follow; tests hold the two equal."""

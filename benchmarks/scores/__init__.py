"""What compares calls with a truth, or with other calls."""

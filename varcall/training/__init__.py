"""Examples cut from samples of known truth, and models trained on them."""

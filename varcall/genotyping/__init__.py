"""The questions put to the model, its answers, and the genotypes made of them."""

"""`make model`: a model from one recipe, from simulated and real reads to exported weights."""

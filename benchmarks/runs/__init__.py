"""What runs the callers and the model, and writes down what was measured."""

"""The prompted model itself, in PyTorch: image encoder, soft tokens of features, decoder."""

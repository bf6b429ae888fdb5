"""Semi-real samples: real reads, into which variants are spiked fragment by fragment."""

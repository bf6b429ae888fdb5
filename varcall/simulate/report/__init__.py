"""How real simulated reads are: their distributions compared with those of real samples."""

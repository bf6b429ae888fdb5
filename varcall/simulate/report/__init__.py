"""How real simulated reads are: their distributions held against those of real samples."""

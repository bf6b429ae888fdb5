"""Measurements of accuracy and speed, on real data that lies beside the project."""

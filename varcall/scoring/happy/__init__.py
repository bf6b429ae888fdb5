"""hap.py's preparation, counting and files."""

"""The files a command reads, checked before any work is done."""

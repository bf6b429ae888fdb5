"""``varcall report``: one HTML page about a call set, its tables, and files for MultiQC."""

"""varcall against DeepVariant in one command: a Snakemake workflow and its report."""

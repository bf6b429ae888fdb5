"""Simulated samples: mutated diploid genomes, noisy reads, alignments and their truth."""

from varcall.simulate.run import SimulateOptions, run_simulate, simulate_demo
from varcall.simulate.sample_files import SimulatedSample

__all__ = ["SimulateOptions", "SimulatedSample", "run_simulate", "simulate_demo"]

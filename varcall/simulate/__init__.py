"""Simulated samples: mutated diploid genomes, noisy reads, alignments and their truth."""

from varcall.simulate.run import SimulatedSample, SimulateOptions, run_simulate, simulate_demo

__all__ = ["SimulateOptions", "SimulatedSample", "run_simulate", "simulate_demo"]

"""How files of ``varcall simulate`` say where each read comes from.

Tags in lower case are free for everybody's use (SAM optional fields specification, section 1).
"""

#: ``mo:i``, the molecule: 0 and 1 the person's haplotypes, 2 another person's (contamination), 3
#: and more hidden copies of a stretch that the reference has once.
MOLECULE_TAG = "mo"
#: ``tp:i``, where the first aligned base comes from: 0-based on the simulated contig; -1 where
#: that is no place of the reference (adapter, hidden copy, the second part of a chimera).
START_TAG = "tp"
#: ``ak:i``, bits of what else the read is.
ARTEFACT_TAG = "ak"
#: The read's fragment was joined from two places.
CHIMERA = 1
#: Bases of an adapter, a mate-pair junction or a poly-G tail are in the read.
ADAPTER = 2
#: A copy that PCR or the machine made of another fragment, flagged (0x400) or not.
DUPLICATE = 4

SECOND_HAPLOTYPE = 1
CONTAMINANT_MOLECULE = 2
FIRST_HIDDEN_COPY = 3
#: From here on a molecule is a stack of fragments with one start, no hidden copy.
FIRST_STACK = FIRST_HIDDEN_COPY + 100
#: Second sample of a simulated truth: the genotypes of the person who contaminates the library.
CONTAMINANT_SAMPLE = "contaminant"

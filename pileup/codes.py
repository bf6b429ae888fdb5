"""Numbers that stand for something in the arrays of a window: bases, kinds of site, alleles."""

# Bases. UNKNOWN_BASE is N, an ambiguity letter, or a place beyond the ends of a contig; what is
# below is one of the N_BASES. The complement of a known base is T minus it.
A, C, G, T, UNKNOWN_BASE = range(5)
N_BASES = 4
# What stands for "=" in the SEQ of a record, until the reference is at hand: it has a bit that no
# code of a base has.
EQUAL = 8

# Kinds of site: SNV or MNV, and insertion or deletion.
SUBSTITUTION, INDEL = 0, 1

# What a read shows at a site: REF, one of the site's ALTs (1, 2, ... as in a GT field), an allele
# that is none of these, or nothing.
REF = 0
OTHER = -1
UNINFORMATIVE = -2
# Length change of a read that does not span the site's repeat.
NOT_SPANNING = -32768

# The same by what a question asks: one of its putative ALTs, another allele, REF, or nothing.
PUTATIVE, OTHER_LEVEL, REF_LEVEL, UNKNOWN_LEVEL = range(4)
N_LEVELS = 4

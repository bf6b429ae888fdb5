"""Numbers of the SAM specification: CIGAR operations and FLAG bits, by their names in pysam.

htslib has the same names with the prefix `BAM_`. What a number means is named once, here.
"""

# Operations of a CIGAR, as BAM counts them (SAM specification, sections 1.4.6 and 4.2).
CIGAR_LETTERS = "MIDNSHP=X"
CMATCH, CINS, CDEL, CREF_SKIP, CSOFT_CLIP, CHARD_CLIP, CPAD, CEQUAL, CDIFF = range(9)
# A BAM packs one as length << CIGAR_SHIFT | operation.
CIGAR_SHIFT, CIGAR_MASK = 4, 0xF
# Operations that lay bases of the read on bases of the reference, and the specification's columns
# "consumes query" and "consumes reference".
ALIGNS = (CMATCH, CEQUAL, CDIFF)
CONSUMES_QUERY = (*ALIGNS, CINS, CSOFT_CLIP)
CONSUMES_REFERENCE = (*ALIGNS, CDEL, CREF_SKIP)

# Bits of FLAG (section 1.4.2).
FPAIRED, FPROPER_PAIR, FUNMAP, FMUNMAP = 0x1, 0x2, 0x4, 0x8
FREVERSE, FMREVERSE, FREAD1, FREAD2 = 0x10, 0x20, 0x40, 0x80
FSECONDARY, FQCFAIL, FDUP, FSUPPLEMENTARY = 0x100, 0x200, 0x400, 0x800

# What MAPQ and the qualities of SEQ are where they are not known (sections 1.4.5 and 4.2.3).
UNKNOWN_MAPQ, UNKNOWN_QUALITY = 255, 255

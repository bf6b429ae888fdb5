"""What is wrong with a library, whatever model is asked."""

from varcall.inputs.open import Inputs
from varcall.reads.library_profile import LibraryProfile

_MOST_STACKED = 0.5
"""Amplicons have 0.9 and more, all other libraries looked at 0.03 and less."""

_MOST_REF_AT_HOM = 0.02
"""Beyond the library's own mismatches: of one person's reads 0.009 and less. The share of another
person's reads is about twice what they add."""


def library_warnings(profile: LibraryProfile, inputs: Inputs) -> list[str]:
    """Return a sentence for each thing that makes records wrong unless it is mended."""
    found = []
    if profile.stack_share > _MOST_STACKED:
        found.append(
            f"{inputs.reads} has reads of amplicons with no primers clipped "
            f"({profile.stack_share:.0%} begin where many others do): a variant under a primer is "
            "missed where no other amplicon covers it; unless primers were cut off before "
            "mapping, clip them with samtools ampliconclip"
        )
    if profile.ref_at_hom > profile.mismatch_rate + _MOST_REF_AT_HOM:
        found.append(
            f"{inputs.reads} shows REF in {profile.ref_at_hom:.1%} of the bases at homozygous SNVs "
            "(one person's reads in less than 1%): some reads are of another person or wrongly "
            "mapped, and may be called heterozygous; see who they are of with VerifyBamID2 or "
            "somalier"
        )
    return found

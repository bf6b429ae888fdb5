"""Fragments of each allele, and the reads that they stand for where the depth cap left some out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.varcall.evidence.loci import Locus, sequence_with, window_of
from varcall.evidence.window import Evidence, EvidenceOptions, gather
from varcall.evidence.witnesses import Witnesses, count_shown
from varcall.reads.batch import ReadBatch

SITE = 301  # of the C in the middle of the sequence
SEQUENCE = sequence_with("ACA")


@pytest.fixture
def shown(tmp_path: Path) -> tuple[ReadBatch, Evidence]:
    """Six reads of REF, eight of G, and one of T, which is no candidate."""
    locus = Locus(tmp_path, SEQUENCE).show(6, 270).show(8, 271, changes={SITE: "G"})
    batch = locus.show(1, 272, changes={SITE: "T"}).load()
    reads = window_of(batch, locus.reference, 0, len(SEQUENCE))
    return batch, gather(reads, EvidenceOptions())


def test_fragments_by_allele_and_strand(shown: tuple[ReadBatch, Evidence]) -> None:
    assert Witnesses.of(*shown) == Witnesses(
        both=(6, 8), forward=(3, 4), reverse=(3, 4), covering=(15,)
    )


def test_those_that_show_no_candidate_are_shown_too(shown: tuple[ReadBatch, Evidence]) -> None:
    assert count_shown(*shown).tolist() == [[8], [7]]


def test_those_that_were_kept_stand_for_those_that_were_not(
    shown: tuple[ReadBatch, Evidence],
) -> None:
    batch, evidence = shown
    many = np.full(batch.end - batch.start, 15, np.int32)  # as many as were kept
    capped = replace(batch, left_out=many)
    assert Witnesses.of(capped, evidence) == Witnesses(
        both=(12, 16), forward=(6, 8), reverse=(6, 8), covering=(30,)
    )
    assert count_shown(capped, evidence).tolist() == [[16], [14]]

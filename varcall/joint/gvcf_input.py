"""The gVCF of one sample: opened, checked, and read contig by contig through its index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pysam

from varcall.errors import InputError
from varcall.formats.bgzf import GZIP_MAGIC, BgzfFile, is_bgzf
from varcall.formats.htslib import silent_htslib
from varcall.output.gvcf import UNSEEN
from varcall.output.record import vcf_pos

_UNSEEN = frozenset(UNSEEN.values())


@dataclass(frozen=True, slots=True)
class GvcfRecord:
    """A block or a variant record of one sample.

    Attributes
    ----------
    start, end
        What it covers, 0-based half-open.
    alleles
        REF, then ALTs; of a block the unseen one alone.
    is_block
        Whether no ALT is named.
    fields
        The record as it was read, for all that is asked of few records only.
    """

    start: int
    end: int
    alleles: tuple[str, ...]
    is_block: bool
    fields: pysam.VariantRecord

    @property
    def gt(self) -> tuple[int | None, ...]:
        """Allele of each copy of the contig; None where not called."""
        return tuple(self.fields.samples[0].allele_indices or (None, None))

    @property
    def called(self) -> tuple[int, ...]:
        """ALTs (numbers) that the genotype has, ascending."""
        return () if self.is_block else tuple(sorted({allele for allele in self.gt if allele}))

    @property
    def unseen(self) -> int | None:
        """Number of the allele that stands for all others; None where there is none."""
        for number, allele in enumerate(self.alleles):
            if allele in _UNSEEN:
                return number
        return None

    def numbers(self, name: str) -> tuple[int, ...] | None:
        """Return a FORMAT field of several integers; None where it or one of them is missing."""
        values = self.fields.samples[0].get(name)
        if not isinstance(values, tuple) or None in values:
            return None
        return tuple(int(value) for value in values)

    def number(self, *names: str) -> int | None:
        """Return the first of some FORMAT fields that is there."""
        for name in names:
            value = self.fields.samples[0].get(name)
            if value is not None:
                return int(value)
        return None


class Gvcf:
    """The gVCF of one sample.

    Parameters
    ----------
    path
        Compressed VCF or BCF with its index.

    Raises
    ------
    InputError
        It is not there, cut, has no index, is no gVCF, or not of one sample.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _check_complete(path)
        try:
            with silent_htslib():
                self._file = pysam.VariantFile(str(path))
                has_index = self._file.index is not None
        except (OSError, ValueError) as error:
            raise InputError(
                f"cannot read {path} as a gVCF: {error}; write it again with varcall call --gvcf"
            ) from error
        if not has_index:
            raise InputError(f"{path} has no index; make one with tabix -p vcf or bcftools index")
        header = self._file.header
        samples = list(header.samples)
        if len(samples) != 1:
            raise InputError(f"{path} has {len(samples)} samples; give one gVCF for each sample")
        if not any(allele.strip("<>") in header.alts for allele in _UNSEEN):
            raise InputError(
                f"{path} is a VCF and no gVCF: its header has no <*> and no <NON_REF>; "
                "call the sample with --gvcf"
            )
        self.sample: str = samples[0]

    @property
    def contigs(self) -> dict[str, int]:
        """Names and lengths (0 where not stated) of the contigs, in their order."""
        return {str(name): entry.length or 0 for name, entry in self._file.header.contigs.items()}

    @property
    def md5s(self) -> Mapping[str, str]:
        """MD5 of the contigs that have one stated."""
        stated = {
            str(name): entry.header_record.get("md5")
            for name, entry in self._file.header.contigs.items()
        }
        return {name: md5 for name, md5 in stated.items() if md5}

    def records(self, contig: str) -> Iterator[GvcfRecord]:
        """Yield the records of a contig, checked to be in order.

        Raises
        ------
        InputError
            They are not, or cannot be read.
        """
        last = 0
        source = self._fetched(contig)
        while (fields := self._next(source, contig)) is not None:
            start = fields.start
            if start < last:
                raise InputError(
                    f"{self.path} is not sorted at {contig}:{vcf_pos(start)}; sort it with "
                    "bcftools sort and index it again"
                )
            last = start
            alleles = fields.alleles or (fields.ref or "N",)
            is_block = len(alleles) == 1 or (len(alleles) == 2 and alleles[1] in _UNSEEN)
            yield GvcfRecord(start, fields.stop, alleles, is_block, fields)

    def _fetched(self, contig: str) -> Iterator[pysam.VariantRecord]:
        try:
            return iter(self._file.fetch(contig))
        except ValueError:
            # What the index of a file without any record on the contig is asked for.
            return iter(())

    def _next(
        self, source: Iterator[pysam.VariantRecord], contig: str
    ) -> pysam.VariantRecord | None:
        try:
            with silent_htslib():
                return next(source, None)
        except (OSError, ValueError) as error:
            raise InputError(
                f"cannot read {self.path} on {contig}: {error}; write it again with varcall call "
                "--gvcf"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _check_complete(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            is_gzip = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        if not is_gzip or not is_bgzf(path):
            raise InputError(
                f"{path} is not compressed by bgzip, so it has no index; write it as .g.vcf.gz"
            )
        with BgzfFile(path) as blocks:
            if not blocks.has_eof_block:
                raise InputError(f"{path} is cut: it has no end-of-file block; write it again")
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}; check the name") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error}; check the name") from error

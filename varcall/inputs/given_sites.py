"""Sites that the user gives to be genotyped (`varcall call --alleles`), read window by window.

The file is never held in memory: its index leads to the records of a window. htslib reads it, which
tells a damaged block from the end of the file; what a record says is checked here.
"""

import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pysam

from varcall.errors import InputError, UsageError
from varcall.formats.bgzf import GZIP_MAGIC
from varcall.formats.contig_names import some_names, unknown_contig
from varcall.formats.vcf_text import (
    ALT_ALLELE,
    BCF_MAGIC,
    REF_BASES,
    SORT_HINT,
    index_of,
    start_of_vcf,
)
from varcall.inputs.reference import Reference, vcf_letters
from varcall.inputs.regions import SHARED, Region

_log = logging.getLogger(__name__)

LABEL = "given sites"


class GivenRecord(NamedTuple):
    """A record of the file as it is spelled there: contig, 0-based start, ID, REF and ALTs."""

    contig: str
    start: int
    name: str
    ref: str
    alts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GivenSites:
    """An indexed file of sites; can be sent to worker processes.

    `name` is the file as the user knows it, `path` where its records are read.
    """

    name: Path
    path: Path
    index: Path


@contextmanager
def open_given_sites(
    path: Path, contigs: Mapping[str, int], *, is_partial: bool, must_be_indexed: bool = False
) -> Iterator[GivenSites]:
    """Check a file of sites, a plain VCF, a .vcf.gz or BCF with its index, before any work.

    A plain VCF is compressed and indexed in a temporary folder, which is gone after the block.

    Parameters
    ----------
    contigs
        Those that are called, with their lengths.
    is_partial
        Whether only some regions are called. If not, all contigs of the file must be known.
    must_be_indexed
        Whether other machines read the file too, which have not this one's temporary folder.

    Raises
    ------
    InputError
        It cannot be read, is cut, unsorted or without index, or names other contigs.
    UsageError
        It is a plain VCF, and must be indexed.
    """
    start = start_of_vcf(path, LABEL)
    if start[:2] == GZIP_MAGIC:
        sites = GivenSites(path, path, index_of(path, LABEL))
        if sites.index.stat().st_mtime_ns < path.stat().st_mtime_ns:
            _log.warning(
                "the index %s is older than the %s %s: index it again if that was changed",
                sites.index, LABEL, path,
            )  # fmt: skip
        _check_contigs(sites, contigs, is_partial=is_partial)
        yield sites
        return
    if start == BCF_MAGIC:
        raise InputError(
            f"the {LABEL} file {path} is BCF without compression: write it with 'bcftools view "
            "-Ob' and index it"
        )
    if must_be_indexed:
        raise UsageError(
            f"the {LABEL} file {path} is plain text, in which workers on other machines find no "
            f"window: run 'bgzip {path}' and 'tabix -p vcf {path}.gz', and give that"
        )
    with tempfile.TemporaryDirectory(prefix="varcall-sites-") as folder:
        sites = _indexed(path, Path(folder) / "sites.vcf.gz")
        _check_contigs(sites, contigs, is_partial=is_partial)
        yield sites


def _indexed(path: Path, copy: Path) -> GivenSites:
    """Compress and index a plain VCF."""
    index = Path(f"{copy}.csi")
    verbosity = pysam.set_verbosity(0)
    try:
        with path.open("rb") as plain, pysam.BGZFile(str(copy), "wb", None) as compressed:
            shutil.copyfileobj(plain, compressed)
        pysam.tabix_index(
            str(copy), preset="vcf", index=str(index), csi=True, force=True, keep_original=True
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"the {LABEL} file {path} cannot be indexed, so it is no VCF or unsorted: {SORT_HINT}"
        ) from error
    finally:
        pysam.set_verbosity(verbosity)
    return GivenSites(path, copy, index)


def _check_contigs(sites: GivenSites, contigs: Mapping[str, int], *, is_partial: bool) -> None:
    with _opened(sites) as file:
        named = [str(name) for name in file.index.keys()]
    unknown = [name for name in named if name not in contigs]
    if not unknown or (is_partial and len(unknown) < len(named)):
        return
    if len(unknown) == len(named):
        raise InputError(
            f"the {LABEL} file {sites.name}: {unknown_contig(unknown[0], contigs, SHARED)}"
        )
    raise InputError(
        f"the {LABEL} file {sites.name} has records on {some_names(unknown)}, which {SHARED} "
        "do not have: take them out, or say with --regions what to call"
    )


@contextmanager
def _opened(sites: GivenSites) -> Iterator[pysam.VariantFile]:
    # htslib would print its own, less helpful messages beside ours.
    verbosity = pysam.set_verbosity(0)
    try:
        file = pysam.VariantFile(str(sites.path), index_filename=str(sites.index))
    except (OSError, ValueError) as error:
        raise InputError(
            f"the {LABEL} file {sites.name} has no VCF header that can be read: is it a VCF file?"
        ) from error
    finally:
        pysam.set_verbosity(verbosity)
    if file.index is None:
        file.close()
        raise InputError(
            f"the index {sites.index} of the {LABEL} is broken: run 'tabix -p vcf {sites.name}'"
        )
    try:
        yield file
    finally:
        # Of a damaged file it says that closing failed, too.
        with suppress(OSError):
            file.close()


class GivenSitesReader:
    """Reads windows of a file of sites; opens its own files, as they may not cross processes.

    Parameters
    ----------
    reference
        What REF is compared with.

    Raises
    ------
    InputError
        The file cannot be opened.
    """

    def __init__(self, sites: GivenSites, reference: Reference) -> None:
        self._sites, self._reference = sites, reference
        self._context = _opened(sites)
        self._file = self._context.__enter__()
        self._contigs = frozenset(map(str, self._file.index.keys()))

    def close(self) -> None:
        """Close the file."""
        self._context.__exit__(None, None, None)

    def within(self, window: Region) -> list[GivenRecord]:
        """Return the records whose POS lies in a window, in the order of the file.

        The last window of a contig also has those beyond its end.

        Raises
        ------
        InputError
            A record is malformed, out of order, or does not fit the reference; or the file is
            damaged.
        """
        if window.contig not in self._contigs:
            return []
        length = self._reference.length(window.contig)
        end = None if window.end >= length else window.end
        found: list[GivenRecord] = []
        verbosity = pysam.set_verbosity(0)
        try:
            for record in self._file.fetch(window.contig, window.start, end):
                if record.start >= window.start and (end is None or record.start < end):
                    given = GivenRecord(
                        window.contig,
                        record.start,
                        record.id or ".",
                        record.ref or "",
                        record.alts or (),
                    )
                    self._check(given, found[-1].start if found else 0, length)
                    found.append(given)
        except (OSError, ValueError, UnicodeError) as error:
            raise InputError(
                f"the {LABEL} file {self._sites.name} is damaged or malformed at or after {window} "
                f"({error}): write and index it again"
            ) from error
        finally:
            pysam.set_verbosity(verbosity)
        return found

    def _check(self, record: GivenRecord, last_start: int, length: int) -> None:
        where = (
            f"the record {record.contig}:{record.start + 1} of the {LABEL} file {self._sites.name}"
        )
        if record.start < last_start:
            raise InputError(
                f"{where} comes after {last_start + 1}: {SORT_HINT} and index it again"
            )
        if REF_BASES.fullmatch(record.ref) is None:
            raise InputError(f"{where} has REF {record.ref!r}, which is not a sequence of bases")
        for alt in record.alts:
            if ALT_ALLELE.fullmatch(alt) is None:
                raise InputError(f"{where} has ALT {alt!r}, which is no allele: correct it")
        spelled = [allele.upper() for allele in (record.ref, *record.alts)]
        if len({*spelled}) < len(spelled):
            raise InputError(f"{where} has an allele twice, in REF and ALT: correct it")
        end = record.start + len(record.ref)
        if end > length:
            raise InputError(
                f"{where} reaches beyond the end of {record.contig!r}, which has {length:,} bases: "
                "are the sites of another reference?"
            )
        known = self._reference.fetch_string(record.contig, record.start, end)
        if vcf_letters(record.ref) != known:
            raise InputError(
                f"{where} has REF {record.ref[:20]!r} where the reference has {known[:20]!r}: give "
                f"sites of this reference, or see 'bcftools norm --check-ref'"
            )

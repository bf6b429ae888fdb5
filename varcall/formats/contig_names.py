"""Contig names and lengths of two files compared, and the chr/no-chr twin of a name."""

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from varcall.errors import InputError

# Names of the mitochondrial contig in the two naming schemes (UCSC chrM, Ensembl/1000 Genomes MT).
MITOCHONDRIAL = {"chrM": "MT", "MT": "chrM", "chrMT": "MT", "M": "chrM"}
LISTED_NAMES = 5


def twin_name(name: str, known: Iterable[str]) -> str | None:
    """Find how `known` spells the contig `name`: with or without chr, M or MT, other case.

    >>> twin_name("chr20", ["19", "20"])
    '20'
    >>> twin_name("chrM", ["MT", "X"])
    'MT'
    >>> twin_name("20", ["chr1"]) is None
    True
    """
    names = set(known)
    stem = name[3:] if name.lower().startswith("chr") else name
    for spelling in (stem, "chr" + stem, MITOCHONDRIAL.get(name, "")):
        if spelling and spelling != name and spelling in names:
            return spelling
    folded = {other.lower(): other for other in sorted(names - {name}, reverse=True)}
    return folded.get(name.lower())


def some_names(names: Iterable[str]) -> str:
    """Quote the first few names for a message, with the number of those left out.

    >>> some_names(["1", "2"])
    "'1', '2'"
    >>> some_names(["1", "2", "3", "4", "5", "6", "7"])
    "'1', '2', '3', '4', '5' and 2 more"
    """
    listed = list(names)
    text = ", ".join(repr(name) for name in listed[:LISTED_NAMES])
    left = len(listed) - LISTED_NAMES
    return f"{text} and {left} more" if left > 0 else text


def unknown_contig(name: str, known: Mapping[str, int], where: str) -> str:
    """Say that there is no contig `name`, with the twin's name where there is one."""
    twin = twin_name(name, known)
    if twin is not None:
        return f"no contig {name!r} in {where}, but there is {twin!r}: write that instead"
    return f"no contig {name!r} in {where}: there are {some_names(known)}"


def shared_contigs(
    header: Mapping[str, int], fasta: Mapping[str, int], reads: Path, reference: Path
) -> dict[str, int]:
    """Contigs that both files have, in the order of the reads' header, with the FASTA's lengths.

    Raises
    ------
    InputError
        There is none.
    """
    shared = {name: fasta[name] for name in header if name in fasta}
    if shared:
        return shared
    for name in header:
        twin = twin_name(name, fasta)
        if twin is not None:
            raise InputError(
                f"{reads.name} has contig {name!r}, {reference.name} calls it {twin!r}, and they "
                f"share no contig: rename one of them ({_renaming(name, twin, reads, reference)})"
            )
    raise InputError(
        f"{reads.name} and {reference.name} share no contig: the reads are on "
        f"{some_names(header)}, the FASTA has {some_names(fasta)}"
    )


def _renaming(name: str, twin: str, reads: Path, reference: Path) -> str:
    """Spell the command that gives both files the same names."""
    if twin == f"chr{name}":
        edit = "s/SN:/SN:chr/"
    elif name == f"chr{twin}":
        edit = "s/SN:chr/SN:/"
    else:
        edit = f"s/SN:{name}/SN:{twin}/"
    if reads.suffix == ".cram":
        return f"the header lines of {reference}, then samtools faidx"
    source, target = shlex.quote(str(reads)), shlex.quote(f"{reads.stem}.renamed.bam")
    return f'samtools reheader -c "sed {edit}" {source} > {target} && samtools index {target}'


def partial_contigs(
    used: Iterable[str], header: Mapping[str, int], fasta: Mapping[str, int]
) -> list[str]:
    """Check lengths; return the contigs of which the FASTA seems to hold only the first part.

    Raises
    ------
    InputError
        A contig is longer in the FASTA than in the header: another build.
    """
    partial = []
    for name in used:
        if fasta[name] > header[name]:
            raise InputError(
                f"contig {name!r} has {header[name]:,} bases in the header of the reads and "
                f"{fasta[name]:,} in the FASTA: give the reference that the reads were aligned to"
            )
        if fasta[name] < header[name]:
            partial.append(name)
    return partial

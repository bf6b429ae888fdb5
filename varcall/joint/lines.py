"""The text of a joint VCF: its header, and the line of a site."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from varcall.genotyping.genotype import MAX_QUAL
from varcall.joint.inheritance import is_de_novo
from varcall.joint.pedigree import Family
from varcall.joint.sites import SampleCall, Site
from varcall.output.header import COLUMNS, HeaderContig, described, escape_control
from varcall.output.record import LOW_QUAL, PASS, REF_CALL, vcf_pos
from varcall.version import __version__

_OWN_FIELDS = ("PASS", "RefCall", "LowQual", "GT", "GQ", "DP", "AD", "ADF", "ADR", "VAF", "PL")
_HEADER = """\
##FORMAT=<ID=PS,Number=1,Type=Integer,Description="Phase set of the sample's own gVCF">
##INFO=<ID=AC,Number=A,Type=Integer,Description="Copies of each ALT in called genotypes">
##INFO=<ID=AN,Number=1,Type=Integer,Description="Alleles in called genotypes">
"""
_FAMILY_HEADER = """\
##INFO=<ID=DENOVO,Number=.,Type=String,Description="Children with an ALT that is likely de novo">
##FORMAT=<ID=PP,Number=G,Type=Integer,Description="PL after inheritance in the family; of GT, GQ">
##FORMAT=<ID=DNM,Number=1,Type=Float,Description="Probability that GT is not inherited">
"""


def header_text(
    samples: Sequence[str],
    contigs: Sequence[tuple[str, int, str | None]],
    command: str,
    *,
    with_family: bool,
) -> str:
    """Return the header's lines.

    Parameters
    ----------
    samples
        In the order of their columns.
    contigs
        Name, length and MD5 of each.
    command
        As it is recorded.
    with_family
        Whether records have what a family adds.
    """
    stated = [
        f"##contig=<ID={contig.name},length={contig.length}"
        + (f",md5={contig.md5}>\n" if contig.md5 else ">\n")
        for contig in (HeaderContig(*one) for one in contigs)
    ]
    names = "\t".join(escape_control(sample) for sample in samples)
    return "".join(
        [
            "##fileformat=VCFv4.2\n",
            described(*_OWN_FIELDS),
            _HEADER,
            _FAMILY_HEADER if with_family else "",
            f"##source=varcall {__version__}\n##varcall_command={escape_control(command)}\n",
            *stated,
            f"{COLUMNS}\t{names}\n",
        ]
    )


def site_line(site: Site, samples: Sequence[str], families: Sequence[Family]) -> str:
    r"""Return the line of a site, "\n" included."""
    names = ["GT", "GQ", "DP", "AD", "ADF", "ADR", "VAF", "PL"]
    is_refined = any(call.pp is not None for call in site.calls)
    is_set = any(call.phase_set is not None for call in site.calls)
    names += ["PP", "DNM"] if is_refined else []
    names += ["PS"] if is_set else []
    columns = [
        ":".join(
            [
                *_own_fields(call, len(site.alleles)),
                *([_integers(call.pp), _probability(call.de_novo)] if is_refined else []),
                *([_integer(call.phase_set)] if is_set else []),
            ]
        )
        for call in site.calls
    ]
    ref, *alts = site.alleles
    status = _status(site)
    head = [site.contig, str(vcf_pos(site.start)), ".", ref, ",".join(alts), _qual(site), status]
    info = ";".join(_info(site, samples, families))
    return "\t".join([*head, info, ":".join(names), *columns]) + "\n"


def _status(site: Site) -> str:
    """Return FILTER: of a site whose last ALT the family took away, RefCall."""
    if not any(allele for call in site.calls for allele in call.gt):
        return REF_CALL
    return PASS if site.is_pass else LOW_QUAL


def _own_fields(call: SampleCall, n_alleles: int) -> Iterator[str]:
    separator = "|" if call.is_phased else "/"
    yield separator.join("." if allele is None else str(allele) for allele in call.gt)
    yield _integer(call.gq)
    yield _integer(call.dp)
    for counts in call.counts:
        yield _integers(counts)
    ad = call.counts[0]
    if ad is None or call.dp is None:
        yield "."
    else:
        shares = [ad[alt] / call.dp if call.dp else 0.0 for alt in range(1, n_alleles)]
        yield ",".join(f"{round(share, 4):g}" for share in shares)
    yield _integers(call.pl)


def _integer(value: int | None) -> str:
    return "." if value is None else str(value)


def _integers(values: Sequence[int] | None) -> str:
    return "." if values is None else ",".join(map(str, values))


def _probability(value: float | None) -> str:
    return "." if value is None else f"{value:.3g}"


def _qual(site: Site) -> str:
    """Return phred P(every sample is homozygous for REF), by their likelihoods."""
    total = 0.0
    for call in site.calls:
        if call.pl is not None:
            shares = [10.0 ** (-value / 10) for value in call.pl]
            total += call.pl[0] + 10 * math.log10(sum(shares))
    return f"{min(MAX_QUAL, round(total, 1) + 0.0):g}"


def _info(site: Site, samples: Sequence[str], families: Sequence[Family]) -> Iterator[str]:
    called = [allele for call in site.calls for allele in call.gt if allele is not None]
    copies = [called.count(alt) for alt in range(1, len(site.alleles))]
    yield f"AC={_integers(copies)}"
    yield f"AN={len(called)}"
    new = [
        samples[child]
        for family in families
        for child in family.children
        if is_de_novo(family, site.calls, site.calls[child])
    ]
    if new:
        yield f"DENOVO={','.join(map(escape_control, new))}"

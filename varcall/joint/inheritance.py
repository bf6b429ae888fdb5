"""Genotypes of a family refined by what children inherit, and phased by what is transmitted.

The posterior is that of GATK's CalculateGenotypePosteriors (FamilyLikelihoods):

    P(mother, father, child) = w(MV) L(mother) L(father) L(child) * constant,
    w(MV) = mu^MV for MV > 0, and 1 - 10 mu - mu^2 for MV = 0,

where MV counts the alleles of the child (0, 1, 2) that no parent can have given. Here it is also of
sites of several ALTs, and of several children, each of whom adds w and L. A parent who is not known
has the same likelihood for every genotype.

mu is the prior that a child has an allele of neither parent, where something looks like it. It has
to fit PL: a new variant whose PL of 0/0 is 30 is seen if mu is above 10^-3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from varcall.genotyping.genotype import (
    DEFAULT_MIN_HOM_REF_GQ,
    MAX_GQ,
    MAX_PL,
    genotypes,
)
from varcall.joint.pedigree import Family
from varcall.joint.sites import SampleCall, Site

MAX_ALLELES = 8
"""Sites of more alleles are left as they are: the table of trios grows by their sixth power."""

_Values = NDArray[np.float64]


def refined(site: Site, families: Sequence[Family], de_novo_prior: float) -> Site:
    """Refine the calls of families whose members are diploid at a site, and phase children.

    A member of two families goes into the second with what the first said of him.
    """
    calls = list(site.calls)
    n_alleles = len(site.alleles)
    if n_alleles > MAX_ALLELES:
        return site
    for family in families:
        if all(len(calls[member].gt) == 2 for member in family.members):
            _refine(family, calls, n_alleles, de_novo_prior)
    for family in families:
        for child in family.children:
            calls[child] = _phased(family, calls, calls[child])
    return replace(site, calls=tuple(calls))


@lru_cache(maxsize=MAX_ALLELES)
def violations(n_alleles: int) -> NDArray[np.uint8]:
    """Count the alleles of a child that its parents cannot have given.

    Returns
    -------
    uint8 [g, g, g] of father, mother, child: g genotypes in VCF order.
    """
    every = genotypes(n_alleles, 2)
    has = np.array([[allele in pair for allele in range(n_alleles)] for pair in every])
    first, second = np.array(every).T
    # [parent, child]: whether the parent lacks the child's lower or its higher allele
    lacks_first, lacks_second = ~has[:, first], ~has[:, second]
    one = lacks_first[:, None, :].astype(np.uint8) + lacks_second[None, :, :]
    other = lacks_second[:, None, :].astype(np.uint8) + lacks_first[None, :, :]
    return np.asarray(np.minimum(one, other), np.uint8)


def weights(n_alleles: int, de_novo_prior: float) -> _Values:
    """Return w of each father, mother and child, float64 [g, g, g]."""
    count = violations(n_alleles)
    none = 1 - 10 * de_novo_prior - de_novo_prior**2
    return np.where(count == 0, none, de_novo_prior ** count.astype(np.float64))


def _refine(family: Family, calls: list[SampleCall], n_alleles: int, de_novo_prior: float) -> None:
    n_genotypes = len(genotypes(n_alleles, 2))
    father, mother = (
        _likelihood(None if parent is None else calls[parent], n_genotypes)
        for parent in (family.father, family.mother)
    )
    children = [_likelihood(calls[child], n_genotypes) for child in family.children]
    weight = weights(n_alleles, de_novo_prior)
    of_children = [weight @ child for child in children]  # [father, mother]
    parents = np.outer(father, mother)
    together = parents * np.prod(of_children, axis=0)
    total = together.sum()
    for parent, axis in ((family.father, 1), (family.mother, 0)):
        if parent is not None:
            calls[parent] = _with_posterior(calls[parent], together.sum(axis=axis) / total)
    is_known = all(
        parent is not None and calls[parent].pl is not None
        for parent in (family.father, family.mother)
    )
    is_violated = violations(n_alleles) > 0
    for number, child in enumerate(family.children):
        others = np.prod([*of_children[:number], *of_children[number + 1 :]], axis=0)
        cells = (parents * others)[:, :, None] * weight * children[number] / total
        call = _with_posterior(calls[child], cells.sum(axis=(0, 1)))
        if is_known and call.pl is not None:
            call = replace(call, de_novo=float(cells[is_violated].sum()))
        calls[child] = call


def _likelihood(call: SampleCall | None, n_genotypes: int) -> _Values:
    """Return the likelihoods of genotypes, or what another family made of them."""
    phred = None if call is None else call.pp or call.pl
    if phred is None:
        return np.full(n_genotypes, 1 / n_genotypes)
    return np.asarray(10.0 ** (-np.array(phred, np.float64) / 10))


def _with_posterior(call: SampleCall, posterior: _Values) -> SampleCall:
    """Return a call with GT and GQ of its posterior, float64 [g]; as it is where nothing is known.

    What was not called stays so while it is likeliest as the reference, and not sure of that.
    """
    if call.pl is None:
        return call
    phred = -10 * np.log10(np.maximum(posterior, 10.0 ** (-MAX_PL / 10)))
    pp = np.minimum(MAX_PL, np.rint(phred - phred.min())).astype(np.int64)
    best = int(posterior.argmax())
    wrong = max(float(posterior.sum() - posterior[best]), 10.0 ** (-MAX_GQ / 10))
    gq = max(0, min(MAX_GQ, round(-10 * float(np.log10(wrong)))))
    call = replace(call, pp=tuple(pp.tolist()))
    gt = genotypes(_n_alleles(len(pp)), 2)[best]
    if call.gt == (None, None) and not any(gt) and gq < DEFAULT_MIN_HOM_REF_GQ:
        return call
    if None not in call.gt and tuple(sorted(a for a in call.gt if a is not None)) == gt:
        return replace(call, gq=gq)
    return replace(call, gt=gt, is_phased=False, phase_set=None, gq=gq)


def _n_alleles(n_genotypes: int) -> int:
    return next(n for n in range(1, MAX_ALLELES + 1) if n * (n + 1) // 2 == n_genotypes)


def _phased(family: Family, calls: Sequence[SampleCall], child: SampleCall) -> SampleCall:
    """Order a heterozygous child's alleles, the father's first, where only one order can be."""
    if family.father is None or family.mother is None:
        return child
    father, mother = calls[family.father].gt, calls[family.mother].gt
    if None in (*father, *mother, *child.gt) or len(set(child.gt)) != 2:
        return child
    orders = [child.gt, child.gt[::-1]]
    wrong = [(paternal not in father) + (maternal not in mother) for paternal, maternal in orders]
    if wrong[0] == wrong[1]:
        return child
    gt = orders[0] if wrong[0] < wrong[1] else orders[1]
    return replace(child, gt=gt, is_phased=True, phase_set=None)


def is_de_novo(family: Family, calls: Sequence[SampleCall], child: SampleCall) -> bool:
    """Whether a child likely has an allele that neither parent's genotype has."""
    if child.de_novo is None or child.de_novo < 0.5:  # more likely than not
        return False
    assert family.father is not None
    assert family.mother is not None
    inherited = {*calls[family.father].gt, *calls[family.mother].gt}
    return any(allele and allele not in inherited for allele in child.gt)

"""The questions of a window as the model is asked them: words, measured features, pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.context import HAPLOID
from models.prompt import PROMPT_LENGTH, Exemplar, OtherVariant, PromptContext, write_tokens
from models.tasks import COPIES
from varcall.evidence.alleles import trim
from varcall.evidence.window import Chosen, Evidence
from varcall.reads.library_profile import LibraryProfile


@dataclass(frozen=True, slots=True)
class AskedAlleles:
    """The alleles that one question is about.

    Attributes
    ----------
    site
        The number of their site among the evidence's.
    start
        The site's start, 0-based.
    ref, alts
        REF and the one or two ALTs without the bases that they share.
    site_alts
        The same ALTs as the site's record spells them.
    """

    site: int
    start: int
    ref: str
    alts: tuple[str, ...]
    site_alts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Questions:
    """The q questions of some evidence, and the sample that they are asked of.

    Attributes
    ----------
    evidence
        Whose `questions` these are.
    context
        What the prompt says of the sample; of its ploidy, what `is_haploid` does not.
    profile
        The sample's library, which pictures are drawn against.
    features
        float32 [q, N_FEATURES], in the order of `varcall.evidence.features.FEATURES`.
    likelihoods
        float32 [q, 3], natural log likelihoods of 0, 1 and 2 copies from counts and qualities
        (`varcall.evidence.likelihood`): the highest of each row is 0.
    is_haploid
        bool [q], whether the sample is haploid at the question's site.
    """

    evidence: Evidence
    context: PromptContext
    profile: LibraryProfile
    features: NDArray[np.float32]
    likelihoods: NDArray[np.float32]
    is_haploid: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.features)

    @property
    def site(self) -> NDArray[np.int32]:
        """The site that each question is about, int32 [q]."""
        return self.evidence.questions.site

    def about(self, chosen: Chosen) -> "Questions":
        """Return the chosen questions only."""
        return replace(
            self,
            evidence=self.evidence.about(chosen),
            features=self.features[chosen],
            likelihoods=self.likelihoods[chosen],
            is_haploid=self.is_haploid[chosen],
        )

    def alleles(self, index: int) -> AskedAlleles:
        """Return the alleles that a question is about."""
        evidence = self.evidence
        site = int(evidence.questions.site[index])
        ref, site_alts = evidence.asked(index)
        _, short_ref, alts = trim(0, ref, site_alts)
        return AskedAlleles(site, int(evidence.sites.start[site]), short_ref, alts, site_alts)

    def tokens(
        self,
        chosen: Chosen = slice(None),
        task: str = COPIES.name,
        others: Sequence[int] | None = None,
        rng: np.random.Generator | None = None,
        exemplar: Exemplar | None = None,
        fully_told: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.int32]:
        """Write the prompts of the chosen questions: int32 [n, PROMPT_LENGTH].

        Parameters
        ----------
        task, rng, exemplar, fully_told
            As `models.prompt.write_tokens` takes them.
        others
            Where the task names a second variant, the questions that are about it, one for each
            that is chosen.
        """
        asked = [self.alleles(index) for index in np.arange(len(self))[chosen].tolist()]
        second = None
        if others is not None:
            second = [
                OtherVariant(other.ref, other.alts[0], other.start - first.start)
                for first, other in zip(asked, map(self.alleles, others), strict=True)
            ]
        refs, alts = [a.ref for a in asked], [a.alts for a in asked]
        rows = np.empty((len(asked), PROMPT_LENGTH), np.int32)
        haploid = self.is_haploid[chosen]
        for is_haploid in (False, True):
            mine = np.flatnonzero(haploid == is_haploid).tolist()
            if mine:
                context = replace(self.context, ploidy=HAPLOID) if is_haploid else self.context
                my_refs, my_alts = [refs[row] for row in mine], [alts[row] for row in mine]
                seconds = None if second is None else [second[row] for row in mine]
                told = None if fully_told is None else fully_told[mine]
                rows[mine] = write_tokens(
                    context, my_refs, my_alts, task, seconds, rng, exemplar, told
                )
        return rows

    def images(
        self, chosen: Chosen = slice(None), others: Sequence[int] | None = None
    ) -> NDArray[np.uint8]:
        """Draw the pictures of the chosen questions: uint8 [n, 224, 224, 3].

        `others` as `tokens` takes them: pictures show which reads have the second variant.
        """
        second = None if others is None else np.array(others, np.int64)
        return self.evidence.images(self.profile, chosen, second)


def questions_about(
    evidence: Evidence, profile: LibraryProfile, ploidy: int | NDArray[np.int8] = 2
) -> Questions:
    """Return the questions of some evidence, as they are asked of a sample.

    Parameters
    ----------
    profile
        The sample's library.
    ploidy
        Of this sample, at all sites of the evidence, or int8 [sites].
    """
    at_site = np.broadcast_to(np.asarray(ploidy), evidence.sites.start.shape)
    return Questions(
        evidence,
        PromptContext.from_profile(profile),
        profile,
        *evidence.measured(profile),
        is_haploid=at_site[evidence.questions.site] == 1,
    )

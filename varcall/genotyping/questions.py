"""The prompts of a window's questions."""

import numpy as np
from numpy.typing import NDArray

from models.prompt import PromptContext, write_tokens
from varcall.evidence.alleles import trim
from varcall.evidence.window import Evidence


def question_tokens(
    evidence: Evidence,
    context: PromptContext,
    chosen: slice | NDArray[np.int64] = slice(None),
) -> NDArray[np.int32]:
    """Write the prompts of the chosen questions of a window: int32 [q, PROMPT_LENGTH]."""
    refs = []
    alts = []
    questions = evidence.questions
    for site, mask in zip(questions.site[chosen], questions.alleles[chosen], strict=True):
        ref, site_alts = evidence.alleles(int(site))
        asked = [alt for bit, alt in enumerate(site_alts) if int(mask) >> bit & 1]
        _, ref, putative = trim(0, ref, asked)
        refs.append(ref)
        alts.append(putative)
    return write_tokens(context, refs, alts)

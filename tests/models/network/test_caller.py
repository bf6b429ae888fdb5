from math import expm1, log

import numpy as np
import pytest
import torch
from torch import Tensor

from models.network.caller import ANCHOR_LIMIT, VariantCaller, build_caller
from models.prompt import (
    CONTEXT_COLUMNS,
    PREFIX_TOKENS,
    TEXT_LENGTH,
    UNKNOWN_TOKEN,
    packed,
    words_of,
)
from models.tasks import ANSWERS
from tests.models import small


@pytest.fixture(scope="module")
def caller() -> VariantCaller:
    return small.caller().requires_grad_(False)


def tensors(n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    images, tokens, features, likelihoods = small.tensors(small.questions(n))
    return images, tokens, features, likelihoods


def test_shapes(caller: VariantCaller) -> None:
    images, tokens, features, likelihoods = tensors(3)
    assert caller.image_encoder(images).shape == (3, small.CONFIG.image_tokens, 32)
    assert caller.feature_encoder(features).shape == (3, small.CONFIG.soft_tokens, 32)
    assert caller(images, tokens, features, likelihoods).shape == (3, len(ANSWERS))


def test_folding_the_normalisation_changes_nothing() -> None:
    encoder = small.caller().requires_grad_(False).image_encoder
    images = tensors(2)[0]
    before = encoder(images)
    encoder.fold()
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in encoder.modules())
    torch.testing.assert_close(encoder(images), before, rtol=1e-4, atol=1e-4)


def test_header_panels_and_the_whole_width_are_seen(caller: VariantCaller) -> None:
    blank = torch.zeros(1, 224, 224, 3, dtype=torch.uint8)
    before = caller.image_encoder(blank)
    for row, column in ((0, 0), (7, 223), (8, 0), (79, 223), (80, 0), (151, 9), (223, 223)):
        image = blank.clone()
        image[0, row, column] = 255
        assert not torch.equal(caller.image_encoder(image), before)


def test_patches_of_the_panels_lie_on_each_other(caller: VariantCaller) -> None:
    """The header's two rows of patches on top, then eighteen of the three panels together."""
    stem = caller.image_encoder.stem
    blank = torch.zeros(1, 224, 224, 3, dtype=torch.uint8)
    before = stem(blank)
    assert before.shape == (1, small.CONFIG.image_channels[0], 20, 56)
    for row, patch in ((3, 0), (4, 1), (8, 2), (80, 2), (152, 2), (91, 4), (223, 19)):
        image = blank.clone()
        image[0, row, 41] = 255
        changed = (stem(image) != before).any(1)[0].nonzero()
        assert changed.tolist() == [[patch, 10]]


def test_padding_changes_nothing(caller: VariantCaller) -> None:
    images, tokens, features, likelihoods = tensors(4)
    before = caller(images, tokens, features, likelihoods)
    n = int(words_of(tokens.numpy()).max())
    assert n < tokens.shape[1] - 40
    for width in (n, n + 7):
        words, columns = (torch.from_numpy(x) for x in packed(tokens.numpy(), width))
        answers = caller(images, words, features, likelihoods, columns)
        torch.testing.assert_close(answers, before)


def test_the_stored_prefix_gives_the_same_bits(caller: VariantCaller) -> None:
    images, tokens, features, likelihoods = tensors(4)
    asked = caller.image_encoder(images), caller.feature_encoder(features), likelihoods, tokens
    words = torch.tensor(PREFIX_TOKENS)
    prefix = caller.decoder.prefix(words, torch.arange(len(words)))
    assert torch.equal(caller.read(*asked, prefix=prefix), caller.read(*asked))


def test_a_stored_prefix_may_reach_to_the_features(caller: VariantCaller) -> None:
    """So that what stands before them is read once for many questions."""
    images, tokens, features, likelihoods = tensors(4)
    image_tokens, soft_tokens = caller.image_encoder(images), caller.feature_encoder(features)
    whole = caller.read(image_tokens, soft_tokens, likelihoods, tokens)
    columns = torch.arange(tokens.shape[1])
    for i, row in enumerate(tokens):
        prefix = caller.decoder.prefix(row[:TEXT_LENGTH], columns[:TEXT_LENGTH])
        is_padding = row[:TEXT_LENGTH] == small.CONFIG.pad_token
        assert torch.equal(prefix.mask == -torch.inf, is_padding)
        one = slice(i, i + 1)
        question = caller.decoder.question(tokens[one, TEXT_LENGTH:], columns[None, TEXT_LENGTH:])
        state = caller.decoder(question, image_tokens[one], soft_tokens[one], prefix)
        torch.testing.assert_close(caller.answer(state, likelihoods[one])[0], whole[i])


def test_an_untrained_model_answers_what_the_counts_say() -> None:
    torch.manual_seed(1)
    caller = build_caller(small.CONFIG).eval()
    images, tokens, features, likelihoods = tensors(4)
    likelihoods[3] = torch.tensor([-3 * ANCHOR_LIMIT, 0.0, -2 * ANCHOR_LIMIT])
    with torch.inference_mode():
        logits = caller(images, tokens, features, likelihoods)
        for scale in (1.0, 0.25):
            caller.answer.scale.bias.fill_(log(expm1(scale)))
            scaled = scale * likelihoods.clamp(min=-ANCHOR_LIMIT)
            answers = caller(images, tokens, features, likelihoods)[:, :3].softmax(1)
            torch.testing.assert_close(answers, scaled.softmax(1))
    assert (logits[:, 3:] == 0).all()  # no other answer depends on counts


def test_counts_move_the_answer_by_their_scale_and_no_other_task(caller: VariantCaller) -> None:
    images, tokens, features, likelihoods = tensors(3)
    neutral = caller(images, tokens, features, torch.zeros(3, 3))
    moved = caller(images, tokens, features, likelihoods) - neutral
    torch.testing.assert_close(moved[:, 3:], torch.zeros_like(moved[:, 3:]))
    scales = moved[:, :3] / likelihoods.where(likelihoods < 0, -torch.ones(()))
    counted = likelihoods < 0
    for row, where in zip(scales, counted, strict=True):
        torch.testing.assert_close(row[where], row[where][:1].expand(int(where.sum())))
        assert (row[where] > 0).all()


def test_every_modality_reaches_the_answer(caller: VariantCaller) -> None:
    images, tokens, features, likelihoods = tensors(2)
    before = caller(images, tokens, features, likelihoods)
    other_words = tokens.clone()
    other_words[:, CONTEXT_COLUMNS[0]] += 1
    assert not torch.allclose(caller(images + 1, tokens, features, likelihoods), before)
    assert not torch.allclose(caller(images, other_words, features, likelihoods), before)
    assert not torch.allclose(caller(images, tokens, features + 1, likelihoods), before)
    assert not torch.allclose(caller(images, tokens, features, likelihoods - 1), before)


def test_a_dropped_modality_is_not_read(caller: VariantCaller) -> None:
    images, tokens, features, likelihoods = tensors(2)
    image, soft = caller.image_encoder(images), caller.feature_encoder(features)
    keep = torch.tensor([True, False])
    for dropped, others in (
        ({"keep_image": keep}, (image.flip(2), soft)),
        ({"keep_features": keep}, (image, soft.flip(2))),
    ):
        before = caller.read(image, soft, likelihoods, tokens, **dropped)
        after = caller.read(*others, likelihoods, tokens, **dropped)
        assert torch.equal(before[1], after[1])
        assert not torch.allclose(before[0], after[0])


def test_reads_in_the_middle_are_counted_wherever_their_rows_are() -> None:
    """The pooled token is nearly linear in the number of rows, and nearly the same for each."""
    encoder = small.caller().requires_grad_(False).image_encoder
    images = torch.zeros(3, 224, 224, 3, dtype=torch.uint8)
    for image, starts in zip(images, ((24,), (56,), (24, 56)), strict=True):
        for start in starts:
            image[start : start + 8, 104:120] = 200
    blank = encoder(torch.zeros(1, 224, 224, 3, dtype=torch.uint8))[0, -2]
    here, there, both = encoder(images)[:, -2] - blank
    assert here.abs().max() > 1e-3
    # Header and lower border reach some rows into the map.
    bound = 0.1 * float(here.abs().max())
    torch.testing.assert_close(there, here, rtol=0, atol=bound)
    torch.testing.assert_close(both, 2 * here, rtol=0, atol=bound)


def test_a_word_sees_nothing_after_it(caller: VariantCaller) -> None:
    tokens = tensors(1)[1]
    words = tokens[:, small.CONFIG.prefix_length :]
    n, n_image = words.shape[1], small.CONFIG.image_tokens
    mask = caller.decoder._mask(words, None, None)[0, 0]
    seen = mask.isfinite()
    column = {
        name: int((words[0] == token).nonzero())
        for name, token in (
            ("image", small.CONFIG.image_token),
            ("features", small.CONFIG.features_token),
        )
    }
    assert not seen[:n, :n].triu(1).any()
    assert not seen[: column["image"], n : n + n_image].any()
    assert seen[column["image"] : n + n_image, n : n + n_image].all()
    assert not seen[: column["features"], n + n_image :].any()
    assert not seen[:, list(column.values())].any()


def test_unseen_words_read_as_unknown() -> None:
    caller = small.caller()
    seen = torch.ones(small.CONFIG.vocabulary_size, dtype=torch.bool)
    seen[7] = False
    caller.fill_unseen_words(seen, UNKNOWN_TOKEN)
    words = caller.decoder.words.weight
    assert torch.equal(words[7], words[UNKNOWN_TOKEN])
    assert not torch.equal(words[8], words[UNKNOWN_TOKEN])


def test_bins_stand_at_the_quantiles() -> None:
    encoder = small.caller().feature_encoder
    rng = np.random.default_rng(1)
    sample = rng.normal(size=(500, small.N_FEATURES)).astype(np.float32)
    sample[:, 1] = 0.0
    sample[:, 2] = rng.integers(0, 2, 500)
    encoder.fit_bins(torch.from_numpy(sample))
    assert (encoder.edges.diff(dim=1) > 0).all()
    assert abs(float(encoder.edges[0, encoder.edges.shape[1] // 2])) < 0.2
    assert encoder(torch.from_numpy(sample) * 1e6).isfinite().all()

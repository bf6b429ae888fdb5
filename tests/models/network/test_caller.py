import numpy as np
import pytest
import torch
from torch import Tensor

from models.network.caller import VariantCaller
from models.prompt import (
    CONTEXT_COLUMNS,
    HEAD_LENGTH,
    PREFIX_TOKENS,
    TEXT_LENGTH,
    UNKNOWN_TOKEN,
)
from tests.models import small


@pytest.fixture(scope="module")
def caller() -> VariantCaller:
    return small.caller().requires_grad_(False)


def tensors(n: int) -> tuple[Tensor, Tensor, Tensor]:
    images, tokens, features = (torch.from_numpy(x) for x in small.questions(n))
    return images, tokens, features


def test_shapes(caller: VariantCaller) -> None:
    images, tokens, features = tensors(3)
    assert caller.image_encoder(images).shape == (3, small.CONFIG.image_tokens, 32)
    assert caller.feature_encoder(features).shape == (3, small.CONFIG.soft_tokens, 32)
    assert caller(images, tokens, features).shape == (3, 3)


def test_folding_the_normalisation_changes_nothing() -> None:
    encoder = small.caller().requires_grad_(False).image_encoder
    images = tensors(2)[0]
    before = encoder(images)
    encoder.fold()
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in encoder.modules())
    torch.testing.assert_close(encoder(images), before, rtol=1e-4, atol=1e-4)


def test_both_panels_and_the_whole_width_are_seen(caller: VariantCaller) -> None:
    blank = torch.zeros(1, 224, 224, 3, dtype=torch.uint8)
    before = caller.image_encoder(blank)
    for row, column in ((0, 0), (111, 223), (112, 0), (223, 223)):
        image = blank.clone()
        image[0, row, column] = 255
        assert not torch.equal(caller.image_encoder(image), before)


def test_padding_changes_nothing(caller: VariantCaller) -> None:
    images, tokens, features = tensors(4)
    tokens = tokens[[1, 1, 1, 1]]  # an SNV: most of its row is padding
    n_padding = int((tokens[0] == small.CONFIG.pad_token).sum())
    assert n_padding > 20
    before = caller(images, tokens, features)
    for n in (1, n_padding):
        shorter = torch.cat([tokens[:, :HEAD_LENGTH], tokens[:, HEAD_LENGTH + n :]], dim=1)
        torch.testing.assert_close(caller(images, shorter, features), before)


def test_the_stored_prefix_gives_the_same_bits(caller: VariantCaller) -> None:
    images, tokens, features = tensors(4)
    image_tokens, soft_tokens = caller.image_encoder(images), caller.feature_encoder(features)
    prefix = caller.decoder.prefix(torch.tensor(PREFIX_TOKENS))
    with_it = caller.read(image_tokens, soft_tokens, tokens, prefix=prefix)
    assert torch.equal(with_it, caller.read(image_tokens, soft_tokens, tokens))


def test_a_stored_prefix_may_reach_to_the_features(caller: VariantCaller) -> None:
    images, tokens, features = tensors(4)
    image_tokens, soft_tokens = caller.image_encoder(images), caller.feature_encoder(features)
    whole = caller.read(image_tokens, soft_tokens, tokens)
    for i, row in enumerate(tokens):
        prefix = caller.decoder.prefix(row[:TEXT_LENGTH])
        is_padding = row[:TEXT_LENGTH] == small.CONFIG.pad_token
        assert torch.equal(prefix.mask == -torch.inf, is_padding)
        one = slice(i, i + 1)
        answer = caller.read(image_tokens[one], soft_tokens[one], tokens[one], prefix=prefix)
        torch.testing.assert_close(answer[0], whole[i])


def test_every_modality_reaches_the_answer(caller: VariantCaller) -> None:
    images, tokens, features = tensors(2)
    before = caller(images, tokens, features)
    other_words = tokens.clone()
    other_words[:, CONTEXT_COLUMNS[0]] += 1
    assert not torch.allclose(caller(images + 1, tokens, features), before)
    assert not torch.allclose(caller(images, other_words, features), before)
    assert not torch.allclose(caller(images, tokens, features + 1), before)


def test_a_dropped_modality_is_not_read(caller: VariantCaller) -> None:
    images, tokens, features = tensors(2)
    image_tokens, soft_tokens = caller.image_encoder(images), caller.feature_encoder(features)
    keep = torch.tensor([True, False])
    before = caller.read(image_tokens, soft_tokens, tokens, keep, None)
    after = caller.read(image_tokens.flip(2), soft_tokens, tokens, keep, None)
    assert torch.equal(before[1], after[1])
    assert not torch.allclose(before[0], after[0])
    before = caller.read(image_tokens, soft_tokens, tokens, None, keep)
    after = caller.read(image_tokens, soft_tokens.flip(2), tokens, None, keep)
    assert torch.equal(before[1], after[1])
    assert not torch.allclose(before[0], after[0])


def test_a_word_sees_nothing_after_it(caller: VariantCaller) -> None:
    _, tokens, _ = tensors(1)
    words = tokens[:, small.CONFIG.prefix_length :]
    n = words.shape[1]
    image, soft = torch.zeros(1, 28, 32), torch.zeros(1, 4, 32)
    prefix = caller.decoder.prefix(tokens[0, : small.CONFIG.prefix_length])
    mask = caller.decoder._mask(words, prefix, image, soft, None, None)[0, 0]
    seen = mask[:, small.CONFIG.prefix_length :].isfinite()
    column = {
        name: int((words[0] == token).nonzero())
        for name, token in (
            ("image", small.CONFIG.image_token),
            ("features", small.CONFIG.features_token),
        )
    }
    assert not seen[:n, :n].triu(1).any()
    assert not seen[: column["image"], n : n + 28].any()
    assert seen[column["image"] : n + 28, n : n + 28].all()
    assert not seen[: column["features"], n + 28 :].any()
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

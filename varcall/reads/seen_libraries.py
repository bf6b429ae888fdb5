"""What kinds of libraries a model was trained on, and whether another one is among them.

The list stands in the model's card, under "seen" of what it says of its training. Kinds are told
apart by platform, since what is usual in one is not in another.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from models.context import UNKNOWN, basecaller_word
from models.errors import ModelError
from models.weights.weights_file import read_training
from varcall.errors import InputError
from varcall.inputs.checks import Checks
from varcall.inputs.open import Inputs
from varcall.reads.library_profile import (
    LONG_PLATFORMS,
    OTHER_PLATFORMS,
    SHORT_PLATFORM,
    UNKNOWN_PLATFORM,
    LibraryProfile,
)
from varcall.reads.library_warnings import library_warnings
from varcall.reads.measure_library import measure_profile

_log = logging.getLogger(__name__)

PERCENTILES = (0, 5, 50, 95, 100)
"""What is kept of a measurement, over the samples of training."""

# Beyond the first or last of them by this factor, a library is outside: a tenth more depth than
# any sample had changes nothing.
_MARGIN = 1.25
# NovaSeq states 4 qualities, HiSeq X 8, Revio 7; unbinned ones are some 40 and more.
_MOST_BINS = 10

_PLATFORMS = {
    "illumina": "Illumina", "pacbio": "PacBio HiFi", "ont": "ONT", "dnbseq": "DNBSEQ",
    "element": "Element", "helicos": "Helicos", "iontorrent": "Ion Torrent", "ls454": "454",
    "singular": "Singular", "solid": "SOLiD", "ultima": "Ultima",
}  # fmt: skip
# They measure how long a homopolymer is by how bright it is, and err there.
_FLOW_PLATFORMS = ("iontorrent", "ls454", "ultima")
_PAIRINGS = {"paired": "reads in pairs", "single": "single reads"}
_QUALITIES = {
    "absent": "no base qualities",
    "binned": "binned base qualities",
    "many levels": "base qualities of many levels",
}


@dataclass(frozen=True, slots=True)
class _Measured:
    """One measurement of a library.

    Attributes
    ----------
    of
        Takes it from a profile.
    spell
        Says a value.
    says
        Says what is unusual, with the value in place of {}.
    too_low, too_high
        What a value below or above all that were seen may cost; empty where it costs nothing.
    """

    of: Callable[[LibraryProfile], float]
    spell: Callable[[float], str]
    says: str
    too_low: str
    too_high: str


def _percent(rate: float) -> str:
    return f"{100 * rate:.2g} %"


def _depth(depth: float) -> str:
    return f"{depth:.1f}".removesuffix(".0") if depth < 10 else f"{depth:,.0f}"


_MEASURED = {
    "read_length": _Measured(
        lambda profile: profile.read_length,
        lambda bases: f"{bases:,.0f}",
        "reads of {} bases",
        "indels in repeats may be missed",
        "GQ may be off",
    ),
    "depth": _Measured(
        lambda profile: profile.depth,
        _depth,
        "a depth of {}",
        "heterozygous variants may be missed",
        "GQ may be off, and variants in few of the reads be called",
    ),
    "error_rate": _Measured(
        lambda profile: profile.error_rate,
        _percent,
        "{} wrong bases among those of quality 20 and more",
        "",
        "base errors may be called",
    ),
}


@dataclass(frozen=True, slots=True)
class SeenKind:
    """The samples of one platform that a model was trained on.

    Attributes
    ----------
    samples
        How many they were.
    stated, looks_like
        Platforms that their files stated, and that their reads looked like.
    pairings
        "paired", "single".
    qualities
        "absent", "binned" (10 different ones at most), "many levels".
    basecallers
        What their files said of the basecalling model, in words of the prompt: "sup" for instance.
    ranges
        `PERCENTILES` over the samples of read length (bases), depth (as it was drawn in training)
        and error rate, as profiles have them.
    """

    samples: int
    stated: tuple[str, ...]
    looks_like: tuple[str, ...]
    pairings: tuple[str, ...]
    qualities: tuple[str, ...]
    basecallers: tuple[str, ...]
    ranges: Mapping[str, tuple[float, ...]]

    def to_mapping(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {name: getattr(self, name) for name in SeenKind.__slots__}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "SeenKind":
        """Read what `to_mapping` gave."""
        ranges = {name: tuple(map(float, values["ranges"][name])) for name in _MEASURED}
        if any(len(of_one) != len(PERCENTILES) for of_one in ranges.values()):
            raise ValueError("a range is incomplete")
        words = ("stated", "looks_like", "pairings", "qualities", "basecallers")
        return cls(
            samples=int(values["samples"]),
            ranges=ranges,
            **{name: tuple(map(str, values[name])) for name in words},
        )


@dataclass(frozen=True, slots=True)
class SeenLibraries:
    """What a model was trained on.

    Attributes
    ----------
    folders
        Samples by folder.
    kinds
        Kinds of samples by platform.
    snv_density
        SNVs per base of all samples, by their truth; None where it is not known.
    """

    folders: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, SeenKind] = field(default_factory=dict)
    snv_density: float | None = None

    def to_mapping(self) -> dict[str, Any]:
        """Return it as a model's card has it."""
        kinds = {name: kind.to_mapping() for name, kind in self.kinds.items()}
        return {
            "percentiles": PERCENTILES,
            "folders": dict(self.folders),
            "kinds": kinds,
            "snv_density": self.snv_density,
        }

    @classmethod
    def of_model(cls, model: str) -> "SeenLibraries":
        """Return what a model's card says; nothing where it says nothing.

        Raises
        ------
        ModelError
            The weights cannot be read, or their card says it in another form.
        """
        return cls.of_training(read_training(model), model)

    @classmethod
    def of_training(cls, training: Mapping[str, Any], model: str) -> "SeenLibraries":
        """Return what `ModelCard.training` says of a model; nothing where it says nothing.

        Raises
        ------
        ModelError
            It says it in another form.
        """
        seen = training.get("seen") or {}
        try:
            density = seen.get("snv_density")
            if density is not None and not float(density) > 0:
                raise ValueError("no SNVs per base")
            return cls(
                {str(name): int(count) for name, count in seen.get("folders", {}).items()},
                {
                    str(name): SeenKind.from_mapping(values)
                    for name, values in seen.get("kinds", {}).items()
                },
                None if density is None else float(density),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"The card of {model} does not say in a known form what it was trained on "
                f"({error!r}); train it again, or keep its weights with a recipe of 0 steps."
            ) from error

    def unusual(self, profile: LibraryProfile) -> str:
        """Say what of a library the training had not, and what that may cost; empty for none.

        Nothing is unusual where the card says nothing, and in a library without reads.
        """
        if not self.kinds or not profile.read_length:
            return ""
        name = kind_of(profile)
        kind = self.kinds.get(name)
        stated = profile.platform
        seen = _list(_PLATFORMS.get(other, other) for other in self.kinds)
        found = []
        if self._is_foreign(stated):
            cost = "indels of homopolymers" if stated in _FLOW_PLATFORMS else "indels, and GQ,"
            found.append(f"{_PLATFORMS[stated]} reads (it saw {seen}: {cost} may be wrong)")
        else:
            found += _contradiction(profile, kind)
        if kind is None:
            found.append(f"{_PLATFORMS[name]} reads (it saw {seen}: indels may be wrong)")
        else:
            found += _out_of_range(profile, kind) + _other_kind(profile, kind)
        return "; ".join(found)

    def told(self, profile: LibraryProfile) -> LibraryProfile:
        """Return what a prompt may say: no word of platform or basecaller without a meaning.

        Words that were in no sample of training stood only in prompts that were made wrong on
        purpose. Reads of a platform that was not seen pass for what they look like.
        """
        word = _basecaller(profile)
        if not any(word in kind.basecallers for kind in self.kinds.values()):
            profile = replace(profile, basecaller="")
        if self._is_foreign(profile.platform):
            profile = replace(profile, platform=profile.looks_like)
        return profile

    def _is_foreign(self, platform: str) -> bool:
        """Tell whether a platform is one of those that few models have seen, and this one not."""
        seen = any(platform in kind.stated for kind in self.kinds.values())
        return platform in OTHER_PLATFORMS and not seen


def kind_of(profile: LibraryProfile) -> str:
    """Return the platform whose samples a library is compared with: a key of `SeenLibraries.kinds`.

    Of long reads it is what the file states, for the errors of the two platforms overlap.
    """
    is_long = profile.looks_like != SHORT_PLATFORM
    is_stated = profile.platform in LONG_PLATFORMS
    return profile.platform if is_long and is_stated else profile.looks_like


def summarise(
    samples: Mapping[str, Sequence[LibraryProfile]],
    depths: Callable[[float], Sequence[float]],
    snv_density: float | None = None,
) -> SeenLibraries:
    """Sum up the samples of a training.

    Parameters
    ----------
    samples
        Their profiles, by folder.
    depths
        Depths that are drawn of a sample, evenly, by its own.
    snv_density
        SNVs per base of all, where it is known.
    """
    by_kind: dict[str, list[LibraryProfile]] = {}
    for profiles in samples.values():
        for profile in profiles:
            by_kind.setdefault(kind_of(profile), []).append(profile)
    return SeenLibraries(
        {name: len(profiles) for name, profiles in samples.items()},
        {name: _summary(by_kind[name], depths) for name in sorted(by_kind)},
        snv_density,
    )


def _summary(
    profiles: Sequence[LibraryProfile], depths: Callable[[float], Sequence[float]]
) -> SeenKind:
    values = {name: [measured.of(p) for p in profiles] for name, measured in _MEASURED.items()}
    values["depth"] = [depth for own in values["depth"] for depth in depths(own)]
    return SeenKind(
        samples=len(profiles),
        stated=_words(profile.platform for profile in profiles),
        looks_like=_words(profile.looks_like for profile in profiles),
        pairings=_words(map(_pairing, profiles)),
        qualities=_words(map(_qualities, profiles)),
        basecallers=_words(map(_basecaller, profiles)),
        ranges={
            name: tuple(float(f"{x:.4g}") for x in np.percentile(of_one, PERCENTILES))
            for name, of_one in values.items()
        },
    )


def _words(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words) - {""}))


def _pairing(profile: LibraryProfile) -> str:
    return "paired" if profile.paired else "single"


def _qualities(profile: LibraryProfile) -> str:
    if not profile.base_quality:
        return "absent"
    return "binned" if profile.quality_levels <= _MOST_BINS else "many levels"


def _basecaller(profile: LibraryProfile) -> str:
    """Return the prompt's word for the basecalling model; empty where there is none."""
    word = basecaller_word(profile.basecaller)
    return "" if word == UNKNOWN else word.strip()


def _contradiction(profile: LibraryProfile, kind: SeenKind | None) -> list[str]:
    """Say that the file states another platform than the reads look like, but for kinds seen so."""
    stated, looks = profile.platform, profile.looks_like
    if UNKNOWN_PLATFORM in (stated, looks) or stated == looks:
        return []
    if kind is not None and stated in kind.stated and looks in kind.looks_like:
        return []
    return [
        f"@RG PL says {_PLATFORMS[stated]} where the reads look like {_PLATFORMS[looks]} (the "
        "prompt misleads the model: mend PL with samtools reheader)"
    ]


def _out_of_range(profile: LibraryProfile, kind: SeenKind) -> list[str]:
    found = []
    for name, measured in _MEASURED.items():
        value, seen = measured.of(profile), kind.ranges[name]
        low, high = seen[0], seen[-1]
        cost = ""
        if value < low / _MARGIN:
            cost = measured.too_low
        elif value > high * _MARGIN:
            cost = measured.too_high
        if cost:
            between = f"{measured.spell(low)} to {measured.spell(high)}"
            found.append(
                f"{measured.says.format(measured.spell(value))} (it saw {between}: {cost})"
            )
    return found


def _other_kind(profile: LibraryProfile, kind: SeenKind) -> list[str]:
    """Say which words of a library are none of those of a kind."""
    found = []
    if _pairing(profile) not in kind.pairings:
        seen = _list(_PAIRINGS.get(word, word) for word in kind.pairings)
        cost = "reads in wrong places are harder to tell"
        found.append(f"{_PAIRINGS[_pairing(profile)]} (it saw {seen}: {cost})")
    if _qualities(profile) not in kind.qualities:
        seen = _list(_QUALITIES.get(word, word) for word in kind.qualities)
        cost = "base errors are harder to tell"
        found.append(f"{_QUALITIES[_qualities(profile)]} (it saw {seen}: {cost})")
    word = _basecaller(profile)
    if word and kind.basecallers and word not in kind.basecallers:
        seen, cost = _list(kind.basecallers), "errors in homopolymers may be called"
        found.append(f"the basecalling model {profile.basecaller} (it saw {seen}: {cost})")
    return found


def _list(words: Iterable[str]) -> str:
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def compared_with_training(profile: LibraryProfile, model: str, inputs: Inputs) -> LibraryProfile:
    """Warn where the model was trained on no such library; return what its prompts may say.

    Raises
    ------
    ModelError
        As `SeenLibraries.of_model` does.
    """
    seen = SeenLibraries.of_model(model)
    if unusual := seen.unusual(profile):
        _log.warning("%s", _warning(inputs, unusual))
    return seen.told(profile)


def check_library(model: str, inputs: Inputs, checks: Checks) -> None:
    """Measure a library, and compare it with those that a model was trained on."""
    measured = checks.run("library", lambda: _measured(inputs))
    for warning in library_warnings(measured, inputs) if measured is not None else ():
        checks.warn("library", warning)
    seen = checks.run("model", lambda: _seen(model))
    if measured is not None and seen is not None and (unusual := seen.unusual(measured)):
        checks.warn("library", _warning(inputs, unusual))


def _measured(inputs: Inputs) -> tuple[LibraryProfile, str]:
    profile = measure_profile(inputs)
    if not profile.read_length:
        return profile, "no reads to measure"
    pairing, depth = _PAIRINGS[_pairing(profile)], _depth(profile.depth)
    return profile, f"{pairing}, of {profile.read_length:,} bases, at a depth of {depth}"


def _seen(model: str) -> tuple[SeenLibraries, str]:
    try:
        seen = SeenLibraries.of_model(model)
    except ModelError as error:
        raise InputError(str(error)) from error
    count = sum(kind.samples for kind in seen.kinds.values())
    learned = _list(_PLATFORMS.get(name, name) for name in seen.kinds) if seen.kinds else ""
    return seen, (
        f"{model} was trained on {count:,} samples of {learned}"
        if seen.kinds
        else f"{model} does not say what it was trained on"
    )


def _warning(inputs: Inputs, unusual: str) -> str:
    return f"{inputs.reads} is unlike what the model was trained on: {unusual}"

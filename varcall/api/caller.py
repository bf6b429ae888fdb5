"""`varcall.Caller`: a loaded model that calls regions, draws pileups and answers questions."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from models.tasks import COPIES
from pileup.spec import HEADER_CHANNELS, HEADER_ROWS, PANELS, READ_ROWS, panel_top
from varcall.api.keywords import SampleKeywords, call_options
from varcall.api.variants import Variant, Variants
from varcall.api.warnings import collected_warnings
from varcall.evidence.features import FEATURES
from varcall.evidence.window import EvidenceReader
from varcall.genotyping.answers import CallingModel
from varcall.inputs.open import Inputs
from varcall.inputs.regions import Region, select_regions, windows
from varcall.options import DEFAULT_MODEL, CallOptions
from varcall.output.record import line_key, vcf_pos
from varcall.pipeline import open_sample, plan_worker
from varcall.reads.measure_library import measure_profile
from varcall.show.ask import AskOptions, Reply, ask_at, check_distance
from varcall.show.locus import questions_at, search_window, single_position
from varcall.show.pictures import annotated_png
from varcall.show.viewer import Asked, Viewer
from varcall.workers.plan import load_model
from varcall.workers.window_worker import Worker

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Samples whose files stay open, those used last.
KEPT_SAMPLES = 4

Answer = Reply


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a picture: rows, and what each of the three channels shows there.

    Attributes
    ----------
    rows
        Rows of the picture; below the header each is one read, the same one in every panel.
    channels
        What the values of the last axis tell, in words; `pileup.spec` has the codes.
    """

    rows: slice
    channels: tuple[str, ...]


HEADER = Panel(slice(0, HEADER_ROWS), HEADER_CHANNELS)
READ_PANELS = tuple(
    Panel(slice(panel_top(number), panel_top(number) + READ_ROWS), channels)
    for number, channels in enumerate(PANELS)
)


@dataclass(frozen=True, slots=True)
class Pileup:
    """The reads around one allele as the model sees them, with what it was asked and answered.

    Attributes
    ----------
    contig, start, ref, alts
        The alleles that are asked about, 0-based; two ALTs where both are asked about together.
    image
        uint8 [224, 224, 3]; the middle column is `start`. `header` and `panels` tell its rows.
    prompt
        What the model was asked, in words.
    copies
        P of 0, 1 and 2 copies as a call takes them.
    features
        The measurements of the candidate, by name.
    sample
        Its name.
    """

    contig: str
    start: int
    ref: str
    alts: tuple[str, ...]
    image: NDArray[np.uint8] = field(repr=False)
    prompt: str = field(repr=False)
    copies: tuple[float, ...]
    features: dict[str, float] = field(repr=False)
    sample: str
    _asked: Asked = field(repr=False)

    @property
    def header(self) -> Panel:
        """The rows of the reference and of the putative allele."""
        return HEADER

    @property
    def panels(self) -> tuple[Panel, ...]:
        """The three panels of reads."""
        return READ_PANELS

    def channel(self, name: str) -> NDArray[np.uint8]:
        """Return what reads show in one channel, uint8 [rows, 224]; rows without a read are 0.

        Raises
        ------
        KeyError
            There is no such channel.
        """
        for panel in READ_PANELS:
            if name in panel.channels:
                rows = self.image[panel.rows, :, panel.channels.index(name)]
                return rows[: self._rows_in_use()]
        known = ", ".join(channel for panel in READ_PANELS for channel in panel.channels)
        raise KeyError(f"no channel {name!r}: there are {known}")

    def _rows_in_use(self) -> int:
        used = [self.image[panel.rows].any((1, 2)) for panel in READ_PANELS]
        rows = np.flatnonzero(np.any(used, axis=0))
        return int(rows[-1]) + 1 if len(rows) else 0

    def to_png(self) -> bytes:
        """Draw the picture for people, as `varcall show` does: channels apart, with legends.

        Raises
        ------
        OutputError
            matplotlib is missing (the extra `report`).
        """
        return annotated_png(self._asked, self.contig, self.sample)

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw the picture as the model gets it, as a colour image into matplotlib's axes."""
        from matplotlib import pyplot

        drawn = pyplot.gca() if axes is None else axes
        drawn.imshow(self.image, interpolation="nearest")
        drawn.set_title(str(self))
        drawn.set_axis_off()
        return drawn

    def _repr_png_(self) -> bytes:
        """Let a notebook show the annotated picture."""
        return self.to_png()

    def __str__(self) -> str:
        """Spell the alleles and P of the copies, POS 1-based."""
        shown = ", ".join(f"{p:.3f}" for p in self.copies)
        return f"{self.contig}:{vcf_pos(self.start)} {self.ref}>{','.join(self.alts)} ({shown})"


@dataclass(frozen=True, slots=True)
class RegionCalls(Variants, Sequence[Variant]):
    """The records of some regions.

    Attributes
    ----------
    regions
        Where was called, 0-based half-open.
    records
        In the order of a VCF.
    """

    regions: tuple[Region, ...]
    records: tuple[Variant, ...]

    def __iter__(self) -> Iterator[Variant]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, index: int) -> Variant: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Variant]: ...
    def __getitem__(self, index: int | slice) -> Variant | Sequence[Variant]:
        return self.records[index]


class _Sample:
    """One file of reads, opened: what looks at places and what calls windows share its files."""

    def __init__(self, options: CallOptions, inputs: Inputs, model: CallingModel) -> None:
        self.options = options
        self.inputs = inputs
        self._checked = {region.contig for region in inputs.regions}
        plan = plan_worker(options, inputs, measure_profile(inputs))
        self.ploidy = plan.ploidy
        self._files = ExitStack()
        reader = self._files.enter_context(EvidenceReader(plan.inputs, plan.evidence))
        self.viewer = Viewer(plan, reader, model)
        self.worker = Worker(plan, model, reader)

    def opened(self, text: str) -> Inputs:
        """Return the inputs limited to a region; its contigs are checked when they are new."""
        regions = select_regions((text,), None, self.inputs.contigs)
        if self._checked.issuperset(region.contig for region in regions):
            return replace(self.inputs, regions=regions)
        inputs = open_sample(self.options, regions=(text,))
        self._checked |= {region.contig for region in inputs.regions}
        return inputs

    def close(self) -> None:
        self._files.close()


class Caller:
    """A loaded model that calls regions of any reads, draws pileups and answers questions.

    It writes nothing and starts no process; files of the last few reads stay open until `close`, or
    the end of a `with` block. One thread may use it at a time.

    Parameters
    ----------
    reference
        FASTA, plain or bgzipped, with its .fai.
    model
        Name of bundled weights or path of a .safetensors file.
    **options
        The options of `varcall call` that decide what is called:
        `varcall.options.CallOptions`.

    Attributes
    ----------
    warnings
        What was odd about the reads that were opened, one sentence each.

    Raises
    ------
    ModelError
        The weights cannot be used.
    """

    def __init__(
        self,
        reference: str | Path,
        *,
        model: str = DEFAULT_MODEL,
        **options: Unpack[SampleKeywords],
    ) -> None:
        self._options = call_options("-", reference, model=model, **options)
        self._model = load_model(self._options)
        self._samples: OrderedDict[tuple[str, int, int], _Sample] = OrderedDict()
        self.warnings: list[str] = []

    def call(self, reads: str | Path, regions: str | Sequence[str]) -> RegionCalls:
        """Call the variants of regions; the records are those of `varcall call -r`.

        Parameters
        ----------
        reads
            Coordinate-sorted, indexed BAM or CRAM; `READS##idx##INDEX` names its index, too.
        regions
            `contig`, `contig:start-end` (1-based, inclusive), or several of them.

        Raises
        ------
        InputError
            Files cannot be used, do not fit each other, or there is no such region.
        """
        text = regions if isinstance(regions, str) else ",".join(regions)
        sample = self._sample(reads, text)
        inputs = sample.opened(text)
        found: dict[str, list[str]] = {region.contig: [] for region in inputs.regions}
        called = sample.ploidy.called(inputs.regions, inputs.contigs)
        for window in windows(called, self._options.window):
            found[window.contig] += sample.worker.call(window).lines
        lines = [line for part in found.values() for line in sorted(part, key=line_key)]
        return RegionCalls(tuple(inputs.regions), tuple(map(Variant.from_line, lines)))

    def pileups(self, reads: str | Path, position: str, alt: str | None = None) -> list[Pileup]:
        """Return the pictures of the candidate at a position, as `varcall show` draws them.

        Parameters
        ----------
        position
            `contig:pos`, 1-based; the nearest candidate within 20 bases is meant.
        alt
            The ALT to ask about, or two with a comma; None asks about all, and about all pairs.

        Raises
        ------
        InputError
            No candidate there, no such ALT, or files that cannot be used.
        """
        sample = self._sample(reads, position)
        place = single_position(sample.opened(position), position)
        questions = sample.viewer.look(search_window(place))
        chosen = questions_at(questions, place, sample.options.reads, alt)
        asked = sample.viewer.ask(questions, chosen, COPIES.name)
        return [_pileup(item, place.contig, sample.inputs.sample) for item in asked]

    def pileup(self, reads: str | Path, position: str, alt: str | None = None) -> Pileup:
        """Return the picture of `pileups` that shows the likeliest ALT."""
        found = self.pileups(reads, position, alt)
        return max(found, key=lambda item: 1 - item.copies[0])

    def answers(
        self,
        reads: str | Path,
        position: str,
        question: str | None = None,
        *,
        task: str | None = None,
        alt: str | None = None,
        other: str | None = None,
    ) -> list[Answer]:
        """Ask the model about the candidate at a position, about each ALT, as `varcall ask` does.

        Parameters
        ----------
        position
            `contig:pos`, 1-based; the nearest candidate within 20 bases is meant.
        question
            In words, one of those of `models.tasks`; None asks that of `task`.
        task
            Name of a task: `copies`, `cause`, `share`, `same_haplotype`, `haplotype`.
        alt
            The ALT to ask about, or two with a comma.
        other
            `contig:pos` of the second variant, where the question is about two.

        Raises
        ------
        UsageError
            There is no such question; the message lists those that there are.
        InputError
            As `pileups` does.
        """
        sample = self._sample(reads, position)
        options = AskOptions(sample.options, position, alt, question, task, other)
        wanted = [position] + ([other] if other else [])
        places = [single_position(sample.opened(text), text) for text in wanted]
        check_distance(options, places)
        return ask_at(sample.viewer, options, places)

    def ask(
        self,
        reads: str | Path,
        position: str,
        question: str | None = None,
        *,
        task: str | None = None,
        alt: str | None = None,
        other: str | None = None,
    ) -> Answer:
        """Return the first of `answers`: that of the first ALT, or of the one that is named."""
        return self.answers(reads, position, question, task=task, alt=alt, other=other)[0]

    def close(self) -> None:
        """Close the files of reads and reference; the model stays, and later calls open them."""
        while self._samples:
            self._samples.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _sample(self, reads: str | Path, text: str) -> _Sample:
        """Return the opened reads; those that are new, or were replaced, are opened."""
        key = _identity(reads)
        sample = self._samples.get(key)
        if sample is None:
            options = replace(self._options, reads=Path(reads))
            with collected_warnings() as warnings:
                inputs = open_sample(options, regions=(text,))
                sample = _Sample(options, inputs, self._model)
            self.warnings += [text for text in warnings if text not in self.warnings]
            self._samples[key] = sample
            if len(self._samples) > KEPT_SAMPLES:
                self._samples.popitem(last=False)[1].close()
        self._samples.move_to_end(key)
        return sample


def _identity(reads: str | Path) -> tuple[str, int, int]:
    """Name, size and time of change; zeros where there is no such file, which opening will say."""
    path = Path(str(reads).partition("##idx##")[0])
    try:
        status = path.stat()
    except OSError:
        return str(reads), 0, 0
    return str(reads), status.st_size, status.st_mtime_ns


def _pileup(item: Asked, contig: str, sample: str) -> Pileup:
    alleles = item.alleles
    return Pileup(
        contig=contig,
        start=alleles.start,
        ref=alleles.ref,
        alts=alleles.alts,
        image=item.image,
        prompt=item.prompt,
        copies=item.answer,
        features=dict(zip(FEATURES, item.features.tolist(), strict=True)),
        sample=sample,
        _asked=item,
    )

"""What picture, words, features, counts and trees are worth: each alone, and each taken away.

Usage: python -m benchmarks.modalities [--held-out EXAMPLES ...] [--files N] [-m MODEL]
           [--differences FILE] [--history DIR] [--no-record]

Every labelled question of how many copies there are, of the real slices and of folders of
`varcall examples` that training never saw, is answered by the whole model, by its parts, and by the
network with something withheld: no picture, no measured features, nothing said of the sample, or
likelihoods of counts that favour no answer. One table has the wrong answers of each way, one its
log loss, which moves before answers do; one how
many of the final answers change, and are wrong, where something is withheld from all that answers;
one the variants that `varcall call` finds, with triage and without. `--differences` writes every
question of the real slices that trees, network or the pool of both answer wrongly. All are the
answers before the odds follow the sample (`varcall.genotyping.prior`).
`benchmarks.results` says where the tables are written.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import EMPTY, score_slice
from benchmarks.inputs.sources import Source, all_sources, batches_of
from benchmarks.results import add_options, report
from benchmarks.runs import hidden
from benchmarks.runs.callers import VARCALL
from benchmarks.runs.history import Table
from benchmarks.runs.network import Network, log_loss
from benchmarks.scores.agreement import ALL_PICTURES
from models.feature_model.triage import Triage, anchored, softmax
from models.tasks import COPIES
from models.weights.weights_file import load_triage
from varcall.options import DEFAULT_MODEL
from varcall.output.record import vcf_pos
from varcall.training.examples import Examples, make_examples
from varcall.training.spans import load_span

CALLED, POOLED, NETWORK, TREES = (
    "as called: trees where sure, else the pool",
    "pool of network and trees (--no-triage)",
    "network",
    "trees",
)
COUNTS = "likelihoods of counts alone, with the trees' bias"
WITHHELD: dict[str, hidden.Change] = {
    "picture": hidden.picture,
    "features": hidden.features,
    "words": hidden.context_words,
    "likelihoods": hidden.likelihoods,
}
"""What can be withheld from the network; "words" are those about the sample."""

_OTHERS = {
    kept: hidden.together(*(hide for name, hide in WITHHELD.items() if name != kept))
    for kept in WITHHELD
}
NETWORK_WAYS: dict[str, hidden.Change] = {
    NETWORK: hidden.nothing,
    **{f"network without {name}": change for name, change in WITHHELD.items()},
    "network without features of the library": hidden.library_features,
    "network without features of the library and words": hidden.library_profile,
    "network, picture and words only": hidden.together(hidden.features, hidden.likelihoods),
    **{f"network, {name} only": change for name, change in _OTHERS.items()},
}
MODELS = {CALLED: "as called", POOLED: "--no-triage"}
"""The ways whose answers are final, by the option of `varcall call` that they are had by."""

_SHOWN = (CALLED, POOLED, NETWORK, TREES)
"""The ways that the file of differences tells of."""

Probabilities = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers to n questions of how many copies there are.

    Attributes
    ----------
    labels
        int64 [n], the copies there are.
    given
        float32 [n, 3], probabilities of 0, 1 and 2 copies, by the way they were answered.
    final
        The same of each final way (first) with something withheld (second).
    """

    labels: NDArray[np.int64]
    given: Mapping[str, Probabilities]
    final: Mapping[tuple[str, str], Probabilities]

    def wrong(self, probabilities: Probabilities) -> NDArray[np.bool_]:
        """Return which answers are wrong, bool [n]."""
        return np.asarray(probabilities.argmax(axis=1) != self.labels)

    def changed(self, way: str, withheld: str) -> int:
        """Count the final answers that are others where something is withheld."""
        before, after = self.given[way], self.final[way, withheld]
        return int((before.argmax(axis=1) != after.argmax(axis=1)).sum())


def answer_examples(examples: Examples, network: Network, triage: Triage) -> Answered:
    """Answer the questions of a span in every way."""
    asked = [network.answer(batch, NETWORK_WAYS) for _, batch in batches_of(examples, COPIES.name)]
    given = {
        name: np.concatenate([answers[name] for answers in asked])
        if asked
        else np.zeros((0, len(COPIES.options)), np.float32)
        for name in NETWORK_WAYS
    }
    features, counted = examples.questions.features, examples.questions.likelihoods
    settings = triage.settings
    given[TREES] = triage.predict(features, counted)
    given[COUNTS] = softmax(anchored(counted, settings))
    given[POOLED] = triage.pool(given[NETWORK], given[TREES])
    given[CALLED] = triage.answer(features, counted, given[NETWORK])
    neutral = np.zeros_like(counted)
    final = {}
    for name in ("picture", "words"):
        told = given[f"network without {name}"]
        final[CALLED, name] = triage.answer(features, counted, told)
        final[POOLED, name] = triage.pool(told, given[TREES])
    told = given["network without likelihoods"]
    final[CALLED, "likelihoods"] = triage.answer(features, neutral, told)
    final[POOLED, "likelihoods"] = triage.pool(told, triage.predict(features, neutral))
    for way in MODELS:
        # Trees read nothing else.
        final[way, "features"] = given["network without features"]
        final[way, "trees"] = given[NETWORK]
        final[way, "network"] = given[TREES]
    return Answered(examples.labels, given, final)


def joined(parts: Sequence[Answered]) -> Answered:
    """Put the answers of several spans together."""

    def one(items: Sequence[Probabilities]) -> Probabilities:
        return np.concatenate(items)

    return Answered(
        np.concatenate([part.labels for part in parts]),
        {way: one([part.given[way] for part in parts]) for way in parts[0].given},
        {key: one([part.final[key] for part in parts]) for key in parts[0].final},
    )


def answers_tables(groups: Mapping[str, Answered]) -> list[Table]:
    """Return the tables of wrong answers and of log losses, a row for each way."""
    questions = ["questions", *(str(len(answered.labels)) for answered in groups.values())]
    wrong, losses = [questions], [questions]
    for way in (CALLED, POOLED, TREES, *NETWORK_WAYS, COUNTS):
        given = [(answered, answered.given[way]) for answered in groups.values()]
        wrong.append([way, *(str(int(answered.wrong(p).sum())) for answered, p in given)])
        losses.append([way, *(f"{log_loss(p, answered.labels):.4f}" for answered, p in given)])
    titles = ["answered by", *groups]
    note = (
        'Wrong answers of the labelled candidates; "words" are those about the sample: the alleles '
        "are always named."
    )
    return [
        Table("answers", titles, wrong, [note]),
        Table("log-losses", titles, losses, ["Mean of -log P of the right answer, in nats."]),
    ]


def withheld_table(groups: Mapping[str, Answered]) -> Table:
    """Return the table of final answers with something withheld: changed, and wrong then."""
    rows = []
    for way, model in MODELS.items():
        wrong = [str(int(a.wrong(a.given[way]).sum())) for a in groups.values()]
        rows.append([model, "nothing", *wrong])
        for withheld in (*WITHHELD, "trees", "network"):
            cells = [
                f"{a.changed(way, withheld)} / {int(a.wrong(a.final[way, withheld]).sum())}"
                for a in groups.values()
            ]
            rows.append([model, withheld, *cells])
    notes = [
        "Final answers that change / that are wrong then. Without features there are no trees "
        "either."
    ]  # fmt: skip
    return Table("withheld", ["model", "withheld", *groups], rows, notes)


def call_rows(source: Source, directory: Path, model: str | None) -> list[list[str]]:
    """Call the slices of a group in the final ways; return TP/FP/FN of SNPs and of indels."""
    totals = {way.name: EMPTY for way in (VARCALL, ALL_PICTURES)}
    for staged in source.staged:
        for row in score_slice(staged, (VARCALL, ALL_PICTURES), directory, model):
            snp, indel = totals[row.caller]
            totals[row.caller] = snp + row.by_haplotype[0], indel + row.by_haplotype[1]
    names = zip(totals.values(), MODELS.values(), strict=True)
    return [[source.name, name, str(snp), str(indel)] for (snp, indel), name in names]


def differences(name: str, contig: str, examples: Examples, answered: Answered) -> Iterator[str]:
    """Yield a line for each question that one of the parts answers wrongly.

    Group, place (1-based) and alleles; the label; what each part answers, with its probability; the
    log likelihoods of 0, 1 and 2 copies from the counts.
    """
    given = [answered.given[way] for way in _SHOWN]
    wrong = np.any([answered.wrong(probabilities) for probabilities in given], axis=0)
    for index in np.flatnonzero(wrong).tolist():
        alleles = examples.questions.alleles(index)
        counted = examples.questions.likelihoods[index]
        cells = [name, f"{contig}:{vcf_pos(alleles.start)}", alleles.ref, ",".join(alleles.alts)]
        cells.append(str(answered.labels[index]))
        cells += [f"{p[index].argmax()} ({p[index].max():.3f})" for p in given]
        yield "\t".join([*cells, ",".join(f"{value:.1f}" for value in counted)]) + "\n"


DIFFERENCES_HEADER = "\t".join(
    ["#group", "place", "ref", "alts", "copies", *MODELS.values(), NETWORK, TREES, "likelihoods"]
)


def answer_source(source: Source, network: Network, triage: Triage) -> tuple[Answered, list[str]]:
    """Answer all spans of a source; return the answers, and the lines of their differences."""
    parts: list[Answered] = []
    lines: list[str] = []
    for path in source.files:
        span = load_span(path)
        examples = make_examples(span, 1.0, 0)
        parts.append(answer_examples(examples, network, triage))
        lines += differences(source.name, span.window.reads.contig, examples, parts[-1])
    return joined(parts), lines


def trees_of(model: str) -> Triage:
    """Return the trees of a model.

    Raises
    ------
    SystemExit
        Where it has none.
    """
    triage = load_triage(model)
    if triage is None:
        raise SystemExit(f"{model} has no trees: give weights that varcall train calibrated")
    return triage


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--held-out", type=Path, nargs="+", default=[], help="varcall examples")
    parser.add_argument("--files", type=int, help="of each folder, at most; all by default")
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL)
    parser.add_argument("--differences", type=Path, help="write wrong answers to this TSV")
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    network, triage = Network.load(arguments.model), trees_of(arguments.model)
    groups: dict[str, Answered] = {}
    lines: list[str] = []
    calls: list[list[str]] = []
    with tempfile.TemporaryDirectory(prefix="varcall-modalities-") as temporary:
        directory = Path(temporary)
        for source in all_sources(arguments.held_out, arguments.files, directory):
            groups[source.name], found = answer_source(source, network, triage)
            if source.staged:
                lines += found
                calls += call_rows(source, directory, arguments.model)
    if not groups:
        raise SystemExit("there is nothing to ask: give folders of varcall examples, --held-out")
    if arguments.differences:
        arguments.differences.write_text("".join(chain([DIFFERENCES_HEADER, "\n"], lines)))
    tables = [*answers_tables(groups), withheld_table(groups)]
    if calls:
        tables.append(Table("calls", ["slices", "model", "SNP", "indel"], calls))
    report(arguments, "modalities", "What each modality is worth", tables)


if __name__ == "__main__":
    main()

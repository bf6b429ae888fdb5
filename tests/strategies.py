"""Hypothesis strategies for what files may hold: alignments and VCF records; and what failed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

# Every CIGAR operation that the SAM specification allows, and every way of saying nothing.
inner = st.sampled_from(["3I", "2D", "40N", "1P", "5=", "2X", "10M", "1I", "30D"])
cigars = st.builds(
    lambda left, first, middle, last, right: left + first + "".join(middle) + last + right,
    st.sampled_from(["", "5S", "3H", "2H4S"]),
    st.sampled_from(["20M", "20=", "4I20M", "1X9M", "30M"]),
    st.lists(inner, max_size=5),
    st.sampled_from(["15M", "20=", "20M3I", ""]),
    st.sampled_from(["", "6S", "2H", "4S3H"]),
)
odd_cigars = st.sampled_from(["10I", "10S", "5H", "5N", "*", "8D", "3S3I3S", "2P"])
LETTERS = ("ACGT", "ACGTN", "ACGTRYSWKMBDHVN", "acgt", "N", "*")


def alignments(last_start: int) -> st.SearchStrategy[dict[str, Any]]:
    """Alignments that start up to a position, as the fields of `ReadsBuilder.add`.

    `letters` are those that the sequence is drawn from, "*" for none.
    """
    return st.fixed_dictionaries(
        {
            "start": st.integers(0, last_start),
            "cigar": st.one_of(cigars, cigars, cigars, odd_cigars),
            "letters": st.sampled_from(LETTERS),
            "qual": st.sampled_from([0, 10, 37, 93, "*"]),
            "mapq": st.sampled_from([0, 5, 60, 255]),
            "flag": st.sampled_from([0, 16, 99, 147, 256, 1024, 2048, 4, 77]),
            "name": st.sampled_from(["a", "b", None]),
        }
    )


bases = st.text("ACGT", min_size=1, max_size=6)


@st.composite
def alternates(draw: st.DrawFn, ref: str) -> str:
    """An ALT column that fits a REF."""
    other = "C" if ref[0] != "C" else "G"
    kinds = ["snv", "longer", "shorter", "two", "star", "symbol", "breakend", "none", "lower"]
    kind = draw(st.sampled_from(kinds))
    longer = ref[0] + draw(bases) + ref[1:]
    return {
        "snv": other + ref[1:],
        "longer": longer,
        "shorter": ref[0] if len(ref) > 1 else longer,
        "two": f"{other}{ref[1:]},{longer}",
        "star": f"*,{other}{ref[1:]}",
        "symbol": "<DEL>",
        "breakend": f"{ref[0]}[c2:50[",
        "none": ".",
        "lower": (other + ref[1:]).lower(),
    }[kind]


@st.composite
def vcf_records(draw: st.DrawFn, sequences: Mapping[str, str]) -> list[str]:
    """Lines of records of one sample that are right, in order, over these contigs."""
    lines: list[str] = []
    for contig, sequence in sequences.items():
        places = draw(st.lists(st.integers(0, len(sequence) - 8), max_size=6))
        for start in sorted(places):
            ref = sequence[start : start + draw(st.integers(1, 6))]
            alt = draw(alternates(ref))
            n_alts = 0 if alt == "." else alt.count(",") + 1
            allele = st.sampled_from([".", *map(str, range(n_alts + 1))])
            genotype = draw(st.sampled_from("/|")).join([draw(allele), draw(allele)])
            keys, values = draw(
                st.sampled_from([("GT", ""), ("GT:GQ", ":40"), ("GT:GQ", ":."), ("GT:GQ", "")])
            )
            qual = draw(st.sampled_from([".", "50", "0", "3.5", "1e3"]))
            filters = draw(st.sampled_from(["PASS", ".", "LowQual"]))
            columns = [contig, str(start + 1), ".", ref, alt, qual, filters, "."]
            lines.append("\t".join([*columns, keys, genotype + values]))
    return lines


WEIRD = [
    *("\t", "\n", "\r", "\0", " ", "²", "٣", "\ufffd", "é", "0", "9" * 30, "-1", ".", ",", "/"),
    *("nan", "inf", "1_0", "<", "[", "*", "", "N", "a", '"', "%s", "c9", "PASS;q10", "GT", "#"),
    "1" * 5000,
]


@st.composite
def damaged_text(draw: st.DrawFn, text: str) -> str:
    """A text with some pieces replaced, lost, repeated or exchanged."""
    for _ in range(draw(st.integers(1, 3))):
        lines = text.split("\n")
        records = [number for number, line in enumerate(lines) if line and line[0] != "#"]
        anywhere = st.integers(0, len(lines) - 1)
        at = draw(st.one_of(anywhere, st.sampled_from(records)) if records else anywhere)
        fields = lines[at].split("\t")
        column = draw(st.integers(0, len(fields) - 1))
        what = draw(st.sampled_from(["field", "field", "piece", "lose", "repeat", "swap", "cut"]))
        if what == "field":
            fields[column] = draw(st.sampled_from(WEIRD))
        elif what == "piece":
            inside = draw(st.integers(0, len(fields[column])))
            fields[column] = fields[column][:inside] + draw(st.sampled_from(WEIRD))
        elif what == "lose":
            del fields[column]
        elif what == "repeat":
            fields.insert(column, fields[column])
        lines[at] = "\t".join(fields)
        if what == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        text = "\n".join(lines)
        if what == "cut":
            text = text[: draw(st.integers(0, len(text)))]
    return text


@contextmanager
def kept_if_failing(folder: Path, files: Mapping[str, str | bytes], **case: str) -> Iterator[None]:
    """Keep the input of a failing test as a folder in the form of tests/testcases.

    Hypothesis runs the smallest failing input last, and that is what stays.
    """
    try:
        yield
    except Exception as error:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        lines = [f"{key} = {value!r}" for key, value in case.items()]
        (folder / "case.toml").write_text("\n".join(lines) + "\n")
        error.add_note(f"kept in {folder}: move it to tests/testcases/<name>")
        raise

"""Where on the reference the index of the reads says that there are any."""

from varcall.inputs.alignment_index import occupied_spans
from varcall.inputs.open import Inputs


def occupied_spans_of(inputs: Inputs, cell: int) -> list[tuple[str, int, int]]:
    """Join the spans that hold reads, on contigs of the reference, in the order of the reads file.

    Spans that share or touch one of the cells of `cell` bases are joined, so that no cell is in
    two of them. Coordinates are 0-based half-open.
    """
    names = {
        number: name for number, name in enumerate(inputs.header_contigs) if name in inputs.contigs
    }
    joined: list[tuple[str, int, int]] = []
    for number, start, end in sorted(occupied_spans(inputs.index)):
        name = names.get(number)
        if name is None or start >= inputs.contigs[name]:
            continue
        end = min(end, inputs.contigs[name])
        if joined and joined[-1][0] == name and start // cell <= (joined[-1][2] - 1) // cell + 1:
            joined[-1] = (name, joined[-1][1], max(end, joined[-1][2]))
        else:
            joined.append((name, start, end))
    return joined

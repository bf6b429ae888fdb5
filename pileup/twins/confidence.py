"""Twin of kernels.hom_ref.confidence: how likely any other allele is at every base."""

from collections.abc import Mapping, Sequence

from pileup.codes import UNKNOWN_BASE
from pileup.kernels.candidates.scan import MAX_SHIFT
from pileup.kernels.hom_ref.confidence import LONGEST_UNIT, SHORTEST_REPEAT, UNIT

Table = Sequence[Sequence[Sequence[int]]]


def repeat_after(codes: Sequence[int], position: int, longest: int) -> tuple[int, int]:
    """Return (length, homopolymer that slips alike) of the repeat that begins after a base.

    (0, 0) where none does. `longest` positions from there on can begin another unit.
    """
    lengths, slips_as = [0], [0]
    for unit in range(1, LONGEST_UNIT + 1):
        if codes[position] == codes[position + unit] != UNKNOWN_BASE:
            continue  # it began before
        again = 0
        while again < longest and (
            codes[position + 1 + again] == codes[position + 1 + again + unit] != UNKNOWN_BASE
        ):
            again += 1
        length = min(again + unit, MAX_SHIFT)
        if again >= unit and again + unit >= SHORTEST_REPEAT:
            lengths.append(length)
            slips_as.append(length if unit == 1 else length // 2)
    return max(lengths), max(slips_as)


def rate(table: Table, n: int, k: int) -> tuple[int, int]:
    """Return phred of one copy and of two against none, of k fragments among n."""
    most = len(table[0][0]) - 1
    n = max(n, 0)
    k = min(k, n)
    if n > most:
        n, k = most, k * most // n
    none, one, two = (shown[k] + rest[n - k] - whole[n] for shown, rest, whole in table)
    return (none - one + 500) // 1000, (none - two + 500) // 1000


def rate_base(
    cover: Mapping[str, Sequence[int]],
    codes: Sequence[int],
    position: int,
    tables: Sequence[Table],
    table_of_run: Sequence[int],
) -> tuple[int, int]:
    """Return PL of one and of two copies of another allele at a position of the counts."""
    if codes[position] >= UNKNOWN_BASE:
        return 0, 0
    last = len(cover["begun"]) - 1
    length, run = repeat_after(codes, position, last - position)
    beyond = min(position + 1 + length, last)

    def fragments(weight: int) -> int:
        return (weight + UNIT // 2) // UNIT

    covering = cover["begun"][position] - cover["ended"][position] - cover["lost"][position]
    base = rate(tables[0], fragments(covering), fragments(cover["other"][position]))
    spanning = cover["begun"][position] - cover["ended"][beyond]
    table = tables[table_of_run[min(run, len(table_of_run) - 1)]]
    indel = rate(table, fragments(spanning), fragments(cover["indels"][position]))
    return min(base[0], indel[0]), min(base[1], indel[1])

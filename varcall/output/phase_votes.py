"""What fragments show at a heterozygous record, as text that stands in its INFO until it is phased.

Records are phased when those of a run come together, in their order: at the end of the run, or when
its shards are merged. Until then each carries what that takes.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

VOTES, AFTER = "VOTES", "AFTER"
"""The INFO fields of a record that is to be phased: votes, and the reference bases after POS."""

VOTES_HEADER = (
    f'##INFO=<ID={VOTES},Number=1,Type=String,Description="What fragments show, to phase by">\n'
    f'##INFO=<ID={AFTER},Number=1,Type=String,Description="Reference bases after POS">\n'
)
MAX_WEIGHT = 127
# Nine bytes are twelve letters, without padding: `=` has a meaning in INFO.
_VOTE = np.dtype([("name", "<u4"), ("reach", "<u4"), ("vote", "u1")])
_FIELDS = re.compile(rf"(?:^|;)(?:{VOTES}|{AFTER})=[^;]*")


class RecordVotes(NamedTuple):
    """What fragments show at one record, n of them.

    Attributes
    ----------
    name
        int64 [n], CRC-32 of the read name.
    reach
        int64 [n], how far beyond the record's start another record of the same fragment may be.
    weight
        int64 [n], phred that the vote is wrong, up to MAX_WEIGHT; positive for the first allele of
        GT, negative for the second.
    """

    name: NDArray[np.int64]
    reach: NDArray[np.int64]
    weight: NDArray[np.int64]

    def text(self) -> str:
        """Return the votes as an INFO value."""
        packed = np.empty(len(self.name), _VOTE)
        packed["name"] = self.name
        packed["reach"] = self.reach
        packed["vote"] = 2 * np.abs(self.weight) + (self.weight < 0)
        return b64encode(packed.tobytes()).decode() or "."

    @classmethod
    def of_text(cls, text: str) -> RecordVotes:
        """Return the votes that `text` wrote.

        Raises
        ------
        ValueError
            When it did not.
        """
        packed = np.frombuffer(b64decode("" if text == "." else text, validate=True), _VOTE)
        vote = packed["vote"].astype(np.int64)
        weight = np.where(vote & 1, -(vote >> 1), vote >> 1)
        return cls(packed["name"].astype(np.int64), packed["reach"].astype(np.int64), weight)


def info_value(info: str, field: str) -> str | None:
    """Return the value of a field of an INFO column, None where it is not there."""
    _, found, rest = f";{info}".partition(f";{field}=")
    return rest.partition(";")[0] if found else None


def without_votes(info: str) -> str:
    """Return an INFO column without what was there to phase by."""
    return _FIELDS.sub("", info).lstrip(";") or "."

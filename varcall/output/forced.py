"""What marks the records that were asked for (`call --alleles`): they stand as they were given."""

FORCED = "FORCED"
FORCED_HEADER = (
    f'##INFO=<ID={FORCED},Number=0,Type=Flag,Description="Record was asked for with --alleles">\n'
)


def is_forced(info: str) -> bool:
    """Tell whether an INFO column, in which the mark comes first, is of such a record."""
    return info.partition(";")[0] == FORCED

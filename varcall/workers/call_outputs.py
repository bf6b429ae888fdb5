"""The files that a call writes window by window: a VCF, a gVCF, or both."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import BinaryIO

from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.output.atomic import check_writable
from varcall.output.gvcf import HEAD, GqBands, GvcfFormat, GvcfWriter, with_level
from varcall.output.header import Phasing, VcfHeader
from varcall.output.vcf_writer import OutputType, VcfWriter, open_vcf, write_vcf
from varcall.workers.window_worker import WindowResult

WriteWindow = Callable[[Region, WindowResult], None]


class CallOutputs:
    """What a call writes.

    Parameters
    ----------
    into
        Takes the text of the VCF in place of the output that the options name.

    Raises
    ------
    OutputError
        A file cannot be written; this is seen before any work.
    UsageError
        The name of one fits no kind of file.
    """

    def __init__(self, options: CallOptions, into: BinaryIO | None = None) -> None:
        self._options = options
        self._into = into
        self._types: dict[str, OutputType] = {}
        if options.output is not None and into is None:
            self._types[options.output] = OutputType.of(options.output, options.output_type)
        if options.gvcf is not None:
            self._types[options.gvcf] = with_level(OutputType.of(options.gvcf))
        for path in self._types:
            check_writable(path)

    @contextmanager
    def opened(self, header: VcfHeader, todo: Sequence[Region]) -> Iterator[WriteWindow]:
        """Open the files; yield what writes a window. They are complete at the end, or absent.

        Parameters
        ----------
        header
            Of the VCF.
        todo
            The windows that will be written, in order.
        """
        with ExitStack() as stack:
            if self._into is not None:
                written = write_vcf(self._into, header.text(), self._phasing(header))
                vcf: VcfWriter | None = stack.enter_context(written)
            else:
                vcf = self._open(stack, self._options.output, header)
            spelled = gvcf_format(self._options)
            # Its records of given sites are spelled as in any call.
            gvcf_header = replace(header, gvcf=spelled.header_lines(), has_given=False)
            file = self._open(stack, self._options.gvcf, gvcf_header)
            apart = self._apart(todo)
            gvcf = None if file is None else GvcfWriter(file, spelled, apart)

            def write(window: Region, result: WindowResult) -> None:
                contig, end = window.contig, window.end
                if vcf is not None:
                    vcf.write_window(result.lines, contig=contig, end=end)
                if gvcf is not None:
                    gvcf.write_window(result.gvcf_lines, result.blocks, contig=contig, end=end)

            yield write
            if gvcf is not None:
                gvcf.drain()

    def _open(self, stack: ExitStack, path: str | None, header: VcfHeader) -> VcfWriter | None:
        if path is None:
            return None
        index = self._options.write_index
        opened = open_vcf(
            path,
            header.text(),
            self._types[path],
            write_index=index,
            phasing=self._phasing(header),
        )
        return stack.enter_context(opened)

    def _phasing(self, header: VcfHeader) -> Phasing | None:
        # Shards are phased when they are merged: haplotypes do not end where a shard does.
        return None if self._options.shard else header.phasing

    def _apart(self, todo: Sequence[Region]) -> tuple[str, int] | None:
        """Return up to where records of the shard before may reach."""
        if self._options.shard is None or not todo:
            return None
        return todo[0].contig, todo[0].start + HEAD


def gvcf_format(options: CallOptions) -> GvcfFormat:
    """Return how the gVCF of a call is spelled."""
    return GvcfFormat(options.gvcf_alt, GqBands(options.gvcf_gq_bands))

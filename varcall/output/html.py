"""Self-contained HTML pages: templates with everything escaped, pictures inside, no network."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

from varcall.errors import OutputError


@contextmanager
def report_packages() -> Iterator[None]:
    """Turn the lack of a package of the extra `report` into an `OutputError` that says so."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise OutputError(
            f"pictures need {error.name}; install it with: pip install 'varcall-pileup[report]'"
        ) from None


def render_template(name: str, **values: object) -> str:
    """Fill a template; all text is escaped (names in files may be hostile).

    Raises
    ------
    OutputError
        jinja2 is missing.
    """
    with report_packages():
        from jinja2 import Environment, PackageLoader, StrictUndefined
    environment = Environment(
        loader=PackageLoader("varcall", "output/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(**values)


def inline_png(picture: bytes) -> str:
    """Return a PNG as the address of an image that needs no file."""
    return "data:image/png;base64," + b64encode(picture).decode("ascii")

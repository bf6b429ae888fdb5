"""Self-contained HTML pages: templates with everything escaped, pictures inside, no network."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree import ElementTree

from varcall.errors import OutputError

# All that charts are drawn with; none of it runs or loads anything.
_DRAWN = frozenset(
    ("svg", "g", "defs", "path", "use", "text", "tspan", "title", "desc", "clipPath", "rect",
     "line", "polyline", "polygon", "circle", "ellipse")
)  # fmt: skip


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

    The filter `drawing` leaves an SVG as it is, if `is_drawing`.

    Raises
    ------
    OutputError
        jinja2 is missing.
    """
    with report_packages():
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup, escape
    environment = Environment(
        loader=PackageLoader("varcall", "output/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawing"] = lambda value: (
        Markup(str(value)) if is_drawing(str(value)) else escape(value)
    )
    return environment.get_template(name).render(**values)


def is_drawing(text: str) -> bool:
    """Whether a text is an SVG of shapes and words alone, without scripts, styles or addresses."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return False
    return root.tag.rpartition("}")[2] == "svg" and all(
        element.tag.rpartition("}")[2] in _DRAWN
        and not any(
            name.lower().startswith("on")
            or (name.rpartition("}")[2] == "href" and not value.startswith("#"))
            for name, value in element.attrib.items()
        )
        for element in root.iter()
    )


def inline_png(picture: bytes) -> str:
    """Return a PNG as the address of an image that needs no file."""
    return "data:image/png;base64," + b64encode(picture).decode("ascii")

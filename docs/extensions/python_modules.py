"""Pages about the Python modules: one for each folder of sources, written before a build.

A page for each module would be some 250 pages, and the theme writes the list of all of them into
each: most of the time of a build.
"""

from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

PACKAGES = ("varcall", "pileup", "models")
PAGES = Path("reference") / "modules"


def write_pages(application: Sphinx) -> None:
    """Write the pages under `PAGES`, and remove those of folders that are gone."""
    folder = Path(application.srcdir) / PAGES
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(application.srcdir).parent
    pages = {f"{name}.rst": text for name, text in module_pages(root)}
    for old in folder.iterdir():
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / name
        # A file that did not change is not read again.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def module_pages(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the dotted name of each folder of sources with its page in reStructuredText."""
    for package in PACKAGES:
        for init in sorted((root / package).rglob("__init__.py")):
            name = ".".join(init.parent.relative_to(root).parts)
            lines = [name, "=" * len(name), "", f".. automodule:: {name}"]
            # What a package shows of its modules is documented on their pages, or by itself.
            lines += ["   :no-members:", ""] if name in PACKAGES else [""]
            for module in sorted(init.parent.glob("[!_]*.py")):
                title = f"{name}.{module.stem}"
                lines += [title, "-" * len(title), "", f".. automodule:: {title}", ""]
            yield name, "\n".join(lines)


def leave_out_aliases(
    _app: Sphinx, _what: str, _name: str, member: object, _skip: bool, _options: object
) -> bool | None:
    """Leave out the fields of named tuples: the class's own docstring says what they are."""
    is_alias = (getattr(member, "__doc__", None) or "").startswith("Alias for field number")
    return True if is_alias else None


def setup(application: Sphinx) -> ExtensionMetadata:
    """Have the pages written, and some members left out."""
    application.connect("builder-inited", write_pages)
    application.connect("autodoc-skip-member", leave_out_aliases)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

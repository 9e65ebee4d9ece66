"""What is written for the user, as Jinja templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def remark(text: str) -> str:
    """A text as a comment can hold it: what a file says of itself may have lines, and must not become more."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def environment() -> Environment:
    """The templates of this folder; a value that is missing is an error."""
    import yaml
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader(__package__, "."),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  (YAML, Python and Markdown; nothing of it is HTML)
    )

    def flow(value: object) -> str:
        """YAML in one line."""
        text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
        return text.removesuffix("\n").removesuffix("\n...")

    made.filters["flow"] = flow
    made.filters["remark"] = remark
    return made

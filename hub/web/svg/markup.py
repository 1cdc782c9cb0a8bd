"""Writing SVG elements: attributes and text are escaped, whatever they hold."""

from __future__ import annotations

from markupsafe import Markup, escape


def tag(name: str, *children: str | Markup, **attributes: str | float | None) -> Markup:
    """One element. Underscores in names become dashes (`class_` is `class`); None leaves an attribute out.

    Children that are not `Markup` are text and get escaped.

    >>> tag("text", "a < b", x=1.5, class_="label")
    Markup('<text x="1.5" class="label">a &lt; b</text>')
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>")  # noqa: S704 - escaped above


def number(value: str | float) -> str:
    """Two decimals are finer than any screen.

    >>> number(3.14159), number(2.0), number("x")
    ('3.14', '2', 'x')
    """
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def percent(value: float) -> str:
    """A share of the width.

    >>> percent(0.5)
    '50%'
    """
    return f"{number(value * 100)}%"

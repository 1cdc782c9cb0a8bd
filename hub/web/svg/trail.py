"""How a share went from one version to the next, in the space of a word."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from hub.web.svg.markup import number, tag
from hub.web.words import share

WIDTH, HEIGHT = 120, 24


def trail(shares: Sequence[float], most: float) -> Markup:
    """Draw shares at equal steps, oldest first; `most` is the height of the picture, one for all that are compared."""
    if not shares:
        return Markup()
    step = WIDTH / max(1, len(shares) - 1)
    high = max(most, 1e-9)
    places = [(place * step, 1 + (HEIGHT - 2) * (1.0 - min(one / high, 1.0))) for place, one in enumerate(shares)]
    if len(places) == 1:
        places.append((WIDTH, places[0][1]))
    line = " ".join(f"{number(x)},{number(y)}" for x, y in places)
    return tag(
        "svg",
        tag("title", f"{share(shares[0])} to {share(shares[-1])} over {len(shares)} versions"),
        tag("polygon", points=f"0,{HEIGHT} {line} {WIDTH},{HEIGHT}", class_="under"),
        tag("polyline", points=line, class_="line"),
        class_="trail",
        width=WIDTH,
        height=HEIGHT,
        role="img",
    )

"""`sandbox`: a vendor's stand-in on a socket, to try a connector against."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from hub.cli.output import aside, print_json
from hub.cli.running import stopping
from hub.registry import Registry
from hub.sdk.errors import ConfigError
from hub.sdk.sandbox import Sandbox
from hub.serving import Serving


def sandbox(
    vendor: Annotated[str, typer.Argument(help="salesforce, zendesk, stripe or segment, or a plugin's own.")],
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print address and settings as JSON.")] = False,
) -> None:
    """Run a small stand-in of a vendor's API on this machine, and print the settings that point a hub at it."""
    known = {one.vendor: one for one in Registry().sandboxes()}
    if vendor not in known:
        raise ConfigError(f"{vendor!r} has no sandbox; there are {', '.join(sorted(known))}")
    asyncio.run(_serve(known[vendor], port, as_json=as_json))


async def _serve(one: Sandbox, port: int, *, as_json: bool) -> None:
    with stopping() as stop, Serving(one.app, port=port) as serving:
        settings = dict(one.settings(serving.url))
        if as_json:
            print_json({"vendor": one.vendor, "url": serving.url, "settings": settings})
        else:
            aside.print(f"{one.vendor}'s stand-in answers at [bold]{serving.url}[/]  (Ctrl-C stops it)")
            for name, value in settings.items():
                aside.print(f"  export {name}={value}", markup=False)
        await stop.wait()

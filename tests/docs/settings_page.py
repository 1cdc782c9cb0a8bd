"""`python -m tests.docs.settings_page --write`: docs/settings.md, from the settings as they are declared."""

import re
import sys
import types
import typing
from pathlib import Path

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from hub.settings import PREFIX, Settings
from plugins.salesforce.settings import SalesforceSettings
from plugins.segment.settings import SegmentSettings
from plugins.stripe.settings import StripeSettings
from plugins.zendesk.settings import ZendeskSettings
from sinks.webhook import WebhookSettings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
VENDORS = {
    "Salesforce": SalesforceSettings,
    "Zendesk": ZendeskSettings,
    "Stripe": StripeSettings,
    "Segment": SegmentSettings,
    "Webhooks out": WebhookSettings,
}
TOLD_HERE = {  # a class that describes no fields is described here
    ("PULSEHUB_WEBHOOK_", "connection"): "name of the sink of alerts; the sink of fields is `<name>-fields`",
    ("PULSEHUB_WEBHOOK_", "url"): "where to POST; alerts go there",
    ("PULSEHUB_WEBHOOK_", "signing_secret"): "signs what is sent; with several, one signature for each",
    ("PULSEHUB_WEBHOOK_", "push_fields"): "whether every change of health goes there too",
}

HEAD = """\
# Settings

<!-- made by `python -m tests.docs.settings_page --write`; a test fails when it is out of date -->

A setting is written in the environment (`PULSEHUB_PORT=8421`) or in a file, `pulsehub.toml` (`port = 8421`). The
environment wins. The file is the one `--config` names, else `PULSEHUB_CONFIG`, else `./pulsehub.toml`, else
`pulsehub.toml` in the data folder; exactly one is read. Relative paths in a file begin where the file is. In TOML a
vendor's settings stand in a table of its name: `PULSEHUB_ZENDESK_URL` is `url` in `[zendesk]`.

In a file a setting that takes several is a list, or one text separated by commas. A misspelt key is an error in the
file and among a vendor's settings; a misspelt `PULSEHUB_*` of the installation itself is not noticed.

A vendor without settings registers nothing. Half a configuration stops the start and names the key that is missing.
`pulsehub plugins` shows what came of it, `pulsehub doctor` checks it. [An example file](../deploy/pulsehub.toml).

**Secrets** never appear in logs, pages or errors. Where several are taken all of them are active: that is how they
are [rotated](operate.md#rotate-a-secret).

**A second connection** of a vendor has a name and a table of its own in the file, and takes the same settings as the
first:

```toml
[connections.zendesk-emea]
plugin = "zendesk"
signing_secret = "..."    # listens at /in/zendesk-emea
```

A second Segment would want the same paths as the first, and is refused. E-mail and webhooks out have one
configuration each.

"""
NOTES = """
`PULSEHUB_BROKER_URL` takes `sqlite:///relative.db`, `sqlite:////absolute.db` or
`kafka://[user:password@]host:port[,host:port]/prefix`. Topics are called `prefix.events`, consumer groups
`prefix.scoring`; without a prefix it is `pulsehub`. Behind a `?` may stand, for Kafka: `security=` `plaintext`, `ssl`,
`sasl_plaintext` or `sasl_ssl` (which it is where there is a user); `mechanism=` `PLAIN`, `SCRAM-SHA-256` or
`SCRAM-SHA-512`; `ca=` the file of the authority that signed the brokers' certificates; in seconds, `session=` (10)
after which a silent worker's partitions go to the others, `rebalance=` (60) a worker has to come to a rebalance,
`patience=` (10) an answer is waited for. Characters that mean something in a URL are written as `%40` and so on.
`PULSEHUB_DATABASE_URL` takes `sqlite:///relative.db`, `sqlite:////absolute.db` or
`postgresql://[user:password@]host[:port]/database`, behind which parameters of libpq may stand
(`?sslmode=verify-full`). `PULSEHUB_REDIS_URL` takes `redis://[user:password@]host[:port][/number]`, `rediss://` for
TLS or
`unix:///path`; [what Redis is for](redis.md), and that it may go at any time.
`PULSEHUB_PUBLIC_URL`, unless set, is the address listened on. A changed `PULSEHUB_PARTITIONS` is ignored: an
installation keeps the number it was made with.
"""


def page():
    """The whole page."""
    parts = [HEAD, "## The installation\n\n", _table(Settings, PREFIX), NOTES]
    for name, settings in VENDORS.items():
        parts += [f"\n## {name}\n\n", _table(settings, settings.prefix)]
    return "".join(parts)


def _table(settings, prefix):
    rows = [
        f"| `{prefix}{name.upper()}` | {_kind(field)} | {_default(field)} | {_about(field, prefix, name)} |\n"
        for name, field in settings.model_fields.items()
        if name != "connections"
    ]
    return "| setting | takes | default | |\n|---|---|---|---|\n" + "".join(rows)


def _about(field, prefix, name):
    return (field.description or TOLD_HERE[prefix, name]).replace("|", "\\|")


def _default(field):
    if isinstance(field.default, SecretStr) and field.default.get_secret_value():
        raise TypeError("a secret has a default")
    match field.get_default(call_default_factory=True):
        case value if value is PydanticUndefined:
            return "**needed**"
        case None | "" | () | [] | SecretStr():
            return ""
        case bool() as value:
            return f"`{str(value).lower()}`"
        case float() as value:
            return f"`{value:g}`"
        case frozenset() as value:
            return ", ".join(f"`{one}`" for one in sorted(value))
        case value:
            return f"`{value}`"


def _kind(field):
    """What a person may write, in a word or two."""
    limits = {type(one).__name__.lower(): one for one in field.metadata}
    kind = _unwrapped(field.annotation)
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(f"`{one}`" for one in typing.get_args(kind))
    if kind in (int, float):
        low, high = (getattr(limits.get(name), name, None) for name in ("ge", "le"))
        span = f"{low:,} to {high:,}" if high is not None else f"from {low:,}" if low is not None else "above 0"
        return f"number, {span}"
    if typing.get_origin(kind) is tuple:
        return "secrets, several"
    if typing.get_origin(kind) in (list, frozenset):
        return "texts, several"
    known = {bool: "`true` or `false`", Path: "folder", SecretStr: "secret", str: "text"}
    return known.get(kind, "URL")


def _unwrapped(kind):
    if typing.get_origin(kind) is typing.Annotated:
        return _unwrapped(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return _unwrapped(next(one for one in typing.get_args(kind) if one is not type(None)))
    return kind


def names():
    """Every setting there is, by its name in the environment."""
    return set(re.findall(r"^\| `(PULSEHUB_[A-Z_]+)` \|", page(), re.MULTILINE))


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page())
    else:
        sys.stdout.write(page())

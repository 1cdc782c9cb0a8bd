"""The version after this one, as a program: it says more in every message, and its schema is a step ahead."""

import os
import re
import shutil
from importlib.metadata import distribution
from pathlib import Path

from hub.store import schema

ROOT = Path(__file__).parents[2]
VERSION = "99.0.0"
MESSAGES = {  # each message that travels between processes, by the last field it has
    "hub/sdk/events.py": "Event",
    "hub/sdk/health.py": "Health",
    "hub/sdk/actions.py": "Action",
    "hub/ingest/deadletters.py": "Dead",
    "hub/ingest/raw.py": "Kept",
    "scoring/snapshots.py": "Label",
}
SAYS = b'"mood":"bright"'
STEP = '''
"""The step after this version's: every table grows, and there is one more."""

from alembic import op
from sqlalchemy import Column, Integer, Text, inspect

revision = "{now:04}"
down_revision = "{before:04}"


def upgrade() -> None:
    for table in inspect(op.get_bind()).get_table_names():
        if table not in ("meta", "alembic_version"):
            op.add_column(table, Column("mood", Text))
            op.add_column(table, Column("moods", Integer, nullable=False, server_default="7"))
    op.create_table("moods", Column("id", Integer, primary_key=True))
'''


def make(folder: Path) -> dict[str, str]:
    """Write the program into a folder; the settings under which `python -m hub.cli` is that program."""
    for package in ("hub", "plugins", "scoring", "sinks"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file, name in MESSAGES.items():
        _grow(folder / file, name)
    now = schema.VERSION + 1
    _edit(folder / "hub/store/schema/__init__.py", rf"^VERSION = {schema.VERSION}\b", f"VERSION = {now}")
    step = folder / f"hub/store/migrations/versions/step_{now:04}.py"
    step.write_text(STEP.format(now=now, before=schema.VERSION).lstrip())
    told = folder / f"pulsehub-{VERSION}.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: pulsehub\nVersion: {VERSION}\n")
    (told / "entry_points.txt").write_text(distribution("pulsehub").read_text("entry_points.txt") or "")
    above = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(above)}


def _grow(file: Path, name: str) -> None:
    """Give a message one more field, which is always said."""
    _edit(
        file,
        rf'^(class {name}\(msgspec\.Struct.*?\n    """.*?\n    """\n\n)',
        r'\1    mood: str = msgspec.field(default_factory=lambda: "bright")' + "\n",
    )


def _edit(file: Path, pattern: str, becomes: str) -> None:
    text, times = re.subn(pattern, becomes, file.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert times == 1, f"{file.name} has {times} of what was to be changed"
    file.write_text(text)

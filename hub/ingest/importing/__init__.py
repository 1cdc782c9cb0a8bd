"""Files of the past: rows in, events out, by a map that a person wrote."""

from hub.ingest.importing.importer import Importer, Preview, Progress, Summary
from hub.ingest.importing.plan import Plan, load_map
from hub.ingest.importing.progress import Counts

__all__ = ["Counts", "Importer", "Plan", "Preview", "Progress", "Summary", "load_map"]

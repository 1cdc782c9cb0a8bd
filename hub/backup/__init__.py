"""An installation as a folder of files: taken from any engine, restored into any empty one.

`hub.db` is the database as SQLite keeps it, `streams.db` what of the log was not applied yet, `manifest.json` says what
they must hold. Moving to another engine, or to another number of partitions, is taking and restoring.
"""

from hub.backup.manifest import Manifest, Moved
from hub.backup.restoring import Restored, restore
from hub.backup.taking import take

__all__ = ["Manifest", "Moved", "Restored", "restore", "take"]

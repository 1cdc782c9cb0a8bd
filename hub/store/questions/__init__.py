"""Read-only questions asked of the database by pages, API and command line. Nothing here writes."""

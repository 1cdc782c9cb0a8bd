"""One folder per vendor, all with the same file names; each sees only the door `hub`, and none knows of another."""

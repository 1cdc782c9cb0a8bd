"""What happened, to whom: the door, identity, dead letters, and files of the past."""

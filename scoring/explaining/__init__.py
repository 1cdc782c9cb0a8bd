"""Why a health is what it is, why it moved, and what would move it: questions and their answers."""

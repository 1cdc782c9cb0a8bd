"""What customers are worth: what they will bring within a horizon, and between which bounds."""

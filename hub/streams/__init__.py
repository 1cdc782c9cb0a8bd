"""Faust and its transports, and the transactional agent that owns the rule of delivery."""

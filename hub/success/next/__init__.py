"""What to do next about a customer: actions as data, chosen by what came of them, cautious until it has evidence."""

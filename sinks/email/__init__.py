"""Alerts by e-mail, through any SMTP server: text and HTML that say the same."""

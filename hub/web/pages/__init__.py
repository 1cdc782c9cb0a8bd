"""One module a page: from a question in a URL to a `Page`. Nothing here knows HTTP."""

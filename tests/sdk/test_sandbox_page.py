import hub


def test_records_are_shown_as_text_whatever_they_hold():
    page = hub.sandbox_page("Acme <sandbox>", "What & why", {"Customers": [{"name": "<script>", "mrr": None}]})
    assert "<td>&lt;script&gt;</td><td></td>" in page
    assert "Acme &lt;sandbox&gt;" in page
    assert "<script>" not in page


def test_an_empty_table_says_so():
    assert "None yet." in hub.sandbox_page("Acme", "Nothing", {"Customers": []})

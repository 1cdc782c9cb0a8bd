"""The scorecard editor by its form: what it shows, whom a draft moves, and that nothing is written."""

import html
import re

import pytest
from sqlalchemy import func, select

from hub.store import schema
from scoring.loading import FILES, text
from tests.web.conftest import Asker
from tests.web.serving import context
from tests.web.test_pages import words


class Editor:
    """Fills in the form as a browser without scripts would."""

    def __init__(self, site):
        self.site = site

    def opened(self, path="/scorecard"):
        self.page = self.site.ask(path)
        assert self.page.status_code == 200
        self.form = fields(self.page.text)
        return self

    def send(self, path="/scorecard", **changes):
        self.page = self.site.ask(path, "POST", data=self.form | changes)
        return self.page

    @property
    def told(self):
        return words(self.page.text.partition("data-result")[2])


def fields(page):
    """Everything the form would send as it stands."""
    page = page.partition("data-draft")[2].partition("</form>")[0]
    found = {}
    for one in re.findall(r"<input [^>]*>", page):
        name, value = (re.search(rf'\b{key}="([^"]*)"', one) for key in ("name", "value"))
        if name:
            found[name[1]] = html.unescape(value[1])
    texts = re.findall(r'<textarea name="(\w+)".*?>\n(.*?)</textarea>', page, re.DOTALL)
    return found | {name: html.unescape(body).replace("\n", "\r\n") for name, body in texts}


@pytest.fixture
def editor(few):
    return Editor(Asker(context(few))).opened()


def test_it_opens_with_what_runs(editor):
    told = words(editor.page.text)
    assert "This is what runs" in told
    assert "Adoption" in told
    assert "36 %" in told
    for file, name in zip(FILES, ("measures", "scorecard"), strict=True):
        assert editor.form[name].replace("\r\n", "\n") == text(None, file)


def test_sent_as_it_is_it_says_that_nothing_would_change(editor):
    assert editor.send().status_code == 200
    assert "It says what runs" in editor.told


def test_a_weight_of_its_own_field_goes_into_the_text_and_says_who_moves(editor, few):
    editor.send(**{"w:adoption": "1"})
    assert "scorecard, dimensions, adoption, weight 4" in editor.told
    assert "4 would move by half a point or more, of 4" in editor.told
    assert re.search(r"Northwind Traders.*mostly", editor.told)
    again = fields(editor.page.text)
    assert "    weight: 1\r\n    measures:\r\n      - {measure: usage_trend" in again["scorecard"]
    assert again["scorecard"].startswith("# How the measures are weighed.")
    assert (again["w:adoption"], again["h:adoption"]) == ("1", "1")
    with few.read() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.configs)) == 0


def test_nothing_is_written_whatever_is_asked(editor, few):
    def all_of_it():
        with few.read() as connection:
            return {
                t.name: connection.execute(select(func.count()).select_from(t)).scalar()
                for t in schema.metadata.tables.values()
            } | {"rows": connection.execute(select(schema.accounts)).all()}

    before = all_of_it()
    for changes in ({"w:adoption": "9"}, {"scorecard": "nonsense: ["}, {"measures": "- {}"}):
        editor.send(**changes)
    assert all_of_it() == before


def test_a_slip_is_told_with_its_line_and_what_stands_there(editor):
    typed = editor.form["scorecard"].replace("measure: urgent_tickets", "measure: urgnt_tickets")
    assert editor.send(scorecard=typed).status_code == 200
    assert "1 thing to put right" in editor.told
    assert "scorecard.yaml, line 15" in editor.told
    assert "There is no measure urgnt_tickets" in editor.told or "there is no measure urgnt_tickets" in editor.told
    assert "write urgent_tickets" in editor.told
    assert fields(editor.page.text)["scorecard"] == typed  # what was typed is not lost


@pytest.mark.parametrize("weight", ["nan", "inf", "-3", "1e999", "0x10", ""])
def test_a_weight_that_is_none_is_left_out(editor, weight):
    editor.send(**{"w:adoption": weight})
    assert "It says what runs" in editor.told


def test_a_weight_of_nothing_is_refused_in_words(editor):
    editor.send(**{"w:adoption": "0"})
    assert "must be more than 0" in editor.told


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(("typed", "said"), [
    (BOMB, "would be too large"),
    ("[" * 59_000, "nested too deeply"),
    ("x" * 60_001, "60,001 letters long"),
    ("</textarea><script>window.hacked=1</script>", "scorecard.yaml"),
    ("\x00", "not YAML"),
])  # fmt: skip
def test_hostile_texts_are_refused_and_stay_text(editor, typed, said):
    page = editor.send(scorecard=typed)
    assert page.status_code == 200
    assert said in editor.told
    assert "<script>window" not in page.text


def test_a_form_that_is_no_form_of_ours_or_far_too_large_is_refused(editor):
    assert editor.send(form_token="x").status_code == 403
    assert editor.opened().send(measures="x" * 700_000).status_code == 413
    many = {f"w:{n}": "1" for n in range(1_200)}
    assert editor.opened().send(**many).status_code == 413


def test_a_draft_leaves_as_a_file_with_the_weights_that_were_changed(editor):
    answer = editor.send("/scorecard/download/scorecard.yaml", **{"w:support": "7"})
    assert answer.headers["content-disposition"] == 'attachment; filename="scorecard.yaml"'
    assert answer.text == text(None, "scorecard.yaml").replace(
        "weight: 3\n    measures:\n      - {measure: urgent", "weight: 7\n    measures:\n      - {measure: urgent"
    )
    assert editor.send("/scorecard/download/measures.yaml").text == text(None, "measures.yaml")
    assert editor.send("/scorecard/download/..%2Fhub.db").status_code == 404


def test_files_that_changed_since_the_start_are_told(few, tmp_path):
    (tmp_path / "scorecard.yaml").write_text(text(None, "scorecard.yaml").replace("hysteresis: 3", "hysteresis: 4"))
    made = context(few)
    settings = made.settings.model_copy(update={"scoring": tmp_path})
    site = Asker(context(few, settings=settings))
    assert "Not what runs" in words(site.ask("/scorecard").text)
    (tmp_path / "scorecard.yaml").write_text("dimensions: [")
    assert "to put right" in words(site.ask("/scorecard").text)
    (tmp_path / "scorecard.yaml").write_bytes(b"\xff\xfe")
    assert site.ask("/scorecard").status_code == 503


def test_without_customers_it_still_says_what_a_draft_means(empty_site):
    editor = Editor(empty_site).opened()
    editor.send(**{"w:adoption": "1"})
    assert "0 customers would be in another band" in editor.told
    assert "adoption, weight 4" in editor.told


def test_plugins_measures_are_named_and_can_be_weighed(few):
    more = [{"name": "parcels", "family": "count", "kinds": ["p"], "dimension": "d", "label": "x", "direction": "up"}]
    editor = Editor(Asker(context(few, measures=more))).opened()
    assert "Plugins add parcels" in words(editor.page.text)
    editor.send(scorecard=editor.form["scorecard"].replace("measure: usage_trend", "measure: parcels"))
    assert "to put right" not in editor.told

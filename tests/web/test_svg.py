import xml.etree.ElementTree as ET
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hub.web.svg.bars import bars
from hub.web.svg.calibration import SIDE, calibration
from hub.web.svg.course import Mark, Point, choose, course
from hub.web.svg.markup import tag
from hub.web.svg.months import Step, months
from hub.web.svg.shape import shape
from hub.web.svg.spark import spark
from hub.web.svg.strip import strip
from hub.web.svg.trail import trail
from hub.web.svg.way import Column, Stop, way, way_down
from scoring.proof.record import Group

HOSTILE = "<script>alert(1)</script>\"' & \u202e"
health = st.floats(0, 100)


def parsed(picture):
    """What a browser reads; raises if it is not well-formed."""
    return ET.fromstring(f"<g>{picture}</g>")[0]  # noqa: S314 - our own picture


def test_attributes_and_text_are_escaped_whatever_they_hold():
    found = parsed(tag("text", HOSTILE, title=HOSTILE))
    assert found.text == HOSTILE
    assert found.get("title") == HOSTILE
    assert len(found) == 0


def test_each_band_has_a_shape_of_its_own():
    drawn = {band: "".join(ET.tostring(part, "unicode") for part in parsed(shape(band))) for band in
             ("thriving", "steady", "watch", "at_risk")}  # fmt: skip
    assert len(set(drawn.values())) == 4


@given(st.lists(st.none() | health, max_size=40))
def test_a_sparkline_stays_inside_its_picture(values):
    found = parsed(spark(values, "watch", 30))
    for line in found.iter("polyline"):
        for place in line.get("points").split():
            x, y = map(float, place.split(","))
            assert 0 <= x <= float(found.get("width"))
            assert 0 <= y <= float(found.get("height"))


def test_a_sparkline_says_from_where_to_where():
    assert parsed(spark([None, 62.4, 50.0, 41.2], "watch", 30)).find("title").text == "62 to 41 over 30 days"


def test_noise_looks_like_noise():
    line = parsed(spark([70.0, 70.4, 69.8], "steady", 30)).find("polyline").get("points")
    heights = [float(place.split(",")[1]) for place in line.split()]
    assert max(heights) - min(heights) < 1


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), health), max_size=60), st.floats(-1e6, 1e6))
def test_health_over_time_is_well_formed_and_names_its_last_value(changes, start):
    points = [Point(*change) for change in sorted(changes)]
    found = parsed(course(points, [], start=start, end=1e6 + 1))
    title = found.find("title").text
    assert title == "No health yet" or title.endswith(f"to {int(points[-1].health + 0.5)}")


def test_the_line_begins_at_the_height_it_had_before_the_picture():
    found = parsed(course([Point(0, 80), Point(150, 40)], [], start=100, end=200))
    path = next(p for p in found.iter("path") if p.get("class") == "line").get("d")
    assert path == "M0 44V44H500V132H1000"  # 80 of 100, then half way 40 of 100, 220 pixels high


def test_marks_are_numbered_links_to_what_caused_them():
    mark = Mark(50, 40, -14, HOSTILE, "#l50")
    link = next(parsed(course([Point(0, 54), Point(50, 40)], [mark], start=0, end=100)).iter("a"))
    assert link.get("href") == "#l50"
    assert link.find("title").text == f"−14 {HOSTILE}"
    assert link.find("text").text == "1"


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(-50, 50)), max_size=50))
def test_chosen_marks_can_be_told_apart_and_are_the_largest_of_their_place(moves):
    chosen = choose([Mark(at, 50, change, "", "") for at, change in moves], 0, 1000)
    times = [mark.at for mark in chosen]
    assert times == sorted(times)
    assert len(times) <= 6
    assert all(b - a >= 35 for a, b in pairwise(times))
    if moves:
        assert max(abs(change) for _, change in moves) in [abs(mark.change) for mark in chosen]


@given(st.lists(st.floats(-80, 80), max_size=10))
def test_bars_of_one_list_share_an_axis_and_fit(points):
    draw = bars(points)
    axes = set()
    for value in points:
        found = parsed(draw(value))
        rect = found.find("rect")
        left = float(rect.get("x").rstrip("%"))
        width = float(rect.get("width").rstrip("%"))
        assert left >= -0.02
        assert left + width <= 100.02
        axes.add(found.find("line").get("x1"))
    assert len(axes) <= 1


def test_bars_are_as_long_as_their_points():
    draw = bars([-20.0, 10.0])
    widths = [float(parsed(draw(p)).find("rect").get("width").rstrip("%")) for p in (-20.0, 10.0)]
    assert abs(widths[0] - 2 * widths[1]) < 0.02
    assert [parsed(draw(p)).find("rect").get("class") for p in (-20.0, 10.0)] == ["down", "up"]


def test_the_strip_filters_by_band_and_counts_it():
    found = parsed(strip([1] * 40, {"watch": 12}, lambda band: f"/?band={band}", chosen="watch"))
    links = {link.get("data-band"): link for link in found.iter("a")}
    assert list(links) == ["at_risk", "watch", "steady", "thriving"]
    assert links["watch"].get("aria-label") == "Watch: 12 customers"
    assert links["watch"].get("href") == "/?band=watch"
    assert "faded" not in links["watch"].get("class")
    assert "faded" in links["steady"].get("class")


def test_every_bar_of_the_strip_stands_in_exactly_one_band():
    found = parsed(strip([1] * 40, {}, str))
    assert sum(rect.get("class") == "pile" for rect in found.iter("rect")) == 40


def test_the_way_says_where_it_stands_still():
    columns = [
        Column("Sources", [Stop("zendesk", "12 a minute", "flowing"), Stop(HOSTILE, HOSTILE)]),
        Column("Log", [Stop("events", "1 a second", "flowing")]),
        Column("Destinations", [Stop("salesforce", "401: bad token", "halted", "/deliveries", "events")]),
    ]
    for draw in (way, way_down):
        found = parsed(draw(columns))
        assert found.get("aria-label") == "Stands still: salesforce"
        assert [a.get("href") for a in found.iter("a")] == ["/deliveries"]
    assert [p.get("class") for p in parsed(way(columns)).iter("path")] == [
        "arrow flowing",
        "arrow idle",
        "arrow halted",
    ]


def test_a_stop_is_joined_only_to_what_it_comes_after():
    columns = [Column("a", [Stop("one", ""), Stop("two", "")]), Column("b", [Stop("three", "", after="two")])]
    assert len([p for p in parsed(way(columns)).iter("path") if "arrow" in p.get("class")]) == 1


chance = st.floats(0, 1)


@given(st.lists(st.tuples(chance, chance, chance, chance), max_size=12))
def test_a_calibration_stays_inside_its_square_and_its_points_lie_where_they_should(drawn):
    groups = [Group(said=s, came=sorted(r)[1], low=min(r), high=max(r), labels=9) for s, *r in drawn]
    found = parsed(calibration(groups))
    points = list(found.iter("circle"))
    assert len(points) == len(groups)
    assert all(44 <= float(p.get("cx")) <= 44 + SIDE and 10 <= float(p.get("cy")) <= 10 + SIDE for p in points)


def test_a_rare_loss_fills_the_calibration_as_a_usual_one_does():
    rare = [Group(said=0.01, came=0.02, low=0.01, high=0.04, labels=9)]
    end = [one.text for one in parsed(calibration(rare)).iter("text")]
    assert "5 %" in end
    assert "100 %" not in end


@given(st.lists(st.tuples(st.none() | chance, chance, chance, st.integers(0, 10**6)), max_size=40))
def test_months_stay_inside_their_picture_and_say_what_they_rest_on(drawn):
    steps = [Step("Jan", v, min(a, b), max(a, b), v, n, n // 2, f"{n} outcomes") for v, a, b, n in drawn]
    found = parsed(months(steps, low=0.5, high=1.0, even=0.5, what="AUC"))
    assert all(0 <= float(one.get("cy")) <= float(found.get("height")) for one in found.iter("circle"))
    assert [one.find("title").text for one in found.iter("g")] == [step.says for step in steps]
    assert len([one for one in found.iter("circle") if one.get("class") == "point"]) == sum(
        step.value is not None for step in steps
    )


@given(st.lists(chance, min_size=1, max_size=50), chance)
def test_a_trail_stays_inside_its_picture(shares, most):
    found = parsed(trail(shares, most))
    places = [place.split(",") for place in found.find("polyline").get("points").split()]
    assert all(0 <= float(x) <= 120 and 0 <= float(y) <= 24 for x, y in places)

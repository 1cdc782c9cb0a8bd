from __future__ import annotations

from hub.cli.importing import judgement
from scoring.proof.quality import judge


def _judged(mix, card, lost):
    rows = [{"mix": a, "scorecard": b} for a, b in zip(mix, card, strict=True)]
    return judge([f"acc_{place}" for place in range(len(lost))], [0.0] * len(lost), lost, rows, None)


def test_what_it_showed_stands_beside_the_scorecard_on_the_labels_predicted_since_the_models_are_heard():
    found = _judged([0.1, 0.1, 0.1, 0.8, 0.2], [0.1, 0.1, 0.1, 0.3, 0.4], [True, False, True, True, False])
    said = judgement(found)
    assert said[:2] == [
        "5 predictions of 5 customers came due; 3 ended lost.",
        "The 2 made since the models are listened to compare as follows.",
    ]
    assert said[2].startswith("  what it showed       AUC 1.000")
    assert said[3].startswith("  the scorecard alone  AUC 0.000")
    assert "1.000 among customers of one week; log loss 0.223" in said[2]
    assert (found.fair["mix"].labels, found.fair["scorecard"].labels) == (2, 2)


def test_before_the_models_are_heard_it_says_that_the_scorecard_spoke():
    said = judgement(_judged([0.1, 0.9], [0.1, 0.9], [False, True]))
    assert said[1] == "All were made by the scorecard alone; the models were not listened to yet."
    assert len(said) == 4


def test_before_any_label_it_says_that_nothing_can_be_said():
    assert judgement(_judged([], [], [])) == [
        "No outcome has matured yet, so nothing can be said of how well it predicts."
    ]

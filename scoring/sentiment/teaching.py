"""River's side of what is learned of texts: the pipeline, and a teacher that goes on from a state.

Apart from the rest because River brings SciPy with it: a second to import, which nobody needs who only reads.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from river import compose, feature_extraction, linear_model, optim, preprocessing

from scoring.sentiment.grams import SPACE, names
from scoring.sentiment.language import language_of
from scoring.sentiment.learned import BOUND, LEAST, MOST, State, packed, unpacked
from scoring.sentiment.lexicon import lexicon
from scoring.sentiment.polarity import hear
from scoring.sentiment.said import said
from scoring.sentiment.tokens import tokens

HEARD: Final = "heard"
SCALE: Final = 1.0 / 14.0
"""Of the words' logit as a feature: it is learned 1/200 as fast as a text's places together."""
RATE: Final = 1.0


def heard(text: str) -> dict[str, float]:
    """The words' logit as a feature of a text that is `said`.

    >>> heard("It is broken.")[HEARD] < 0.0
    True
    """
    words = tokens(text)
    nearest = language_of(words)[2]
    return {HEARD: SCALE * hear(words, lexicon(nearest), nearest).logit}


def regression(intercept: float = 0.0) -> Any:
    """The estimator at the end of the pipeline: bounded gradients, no regularization, a constant rate."""
    return linear_model.LogisticRegression(
        optimizer=optim.SGD(RATE), intercept_init=intercept, intercept_lr=0.02, clip_gradient=1.0
    )


def pipeline(model: Any = None) -> Any:
    """Texts (`said`) in, probability of `positive` out.

    >>> pipeline().predict_proba_one("It is broken.")[True]
    0.5
    """
    grams = feature_extraction.BagOfWords(strip_accents=False, lowercase=False, tokenizer=names)
    return compose.Pipeline(
        compose.TransformerUnion(
            compose.Pipeline(grams, preprocessing.Normalizer(order=2)),
            compose.FuncTransformer(heard),
        ),
        regression() if model is None else model,
    )


class Teacher:
    """Learns labels one by one; however they are cut into batches, the state is the same.

    Args:
        state: where to go on from; left as it is.
    """

    def __init__(self, state: State) -> None:
        self._labels, self._through = state.labels, state.through
        self._model = regression(state.intercept)
        weights = unpacked(state)
        self._model._weights.update({place: float(weights[place]) for place in np.flatnonzero(weights).tolist()})  # noqa: SLF001 - River has no other way to restore them
        self._model._weights[HEARD] = state.share / SCALE  # noqa: SLF001 - same
        self._pipeline = pipeline(self._model)

    def learn(self, text: str, *, positive: bool, weight: float = 1.0, at: float = 0.0) -> None:
        """Teach that whoever wrote this was content, or was not.

        Args:
            text: as it was written.
            positive: what the rating says.
            weight: 0 to 1, how surely the rating is about this text.
            at: unix seconds of the rating.
        """
        own = said(text)
        features = self._features(own)
        if len(features) == 1:  # nothing but `heard`: there is no word in it
            return
        self._model.learn_one(features, positive, w=weight)
        weights = self._model._weights  # noqa: SLF001 - River has no other way to bound them
        for name in features:
            low, high = (LEAST / SCALE, MOST / SCALE) if name == HEARD else (-BOUND, BOUND)
            weights[name] = float(np.float32(min(high, max(low, weights[name]))))  # as it is kept: a restart is no turn
        self._labels += weight
        self._through = max(self._through, at)

    def predict(self, text: str) -> float:
        """Probability of `positive` by the pipeline, without the caution a young state is read with."""
        return float(self._pipeline.predict_proba_one(said(text))[True])

    def state(self) -> State:
        """What was learned so far."""
        weights = np.zeros(SPACE)
        share = 1.0
        for name, weight in self._model.weights.items():
            if name == HEARD:
                share = float(weight) * SCALE
            else:
                weights[name] = weight
        return State(
            labels=self._labels,
            through=self._through,
            share=share,
            intercept=float(self._model.intercept),
            weights=packed(weights),
        )

    def _features(self, own: str) -> dict[Any, float]:
        features: dict[Any, float] = next(iter(self._pipeline.steps.values())).transform_one(own)
        return features

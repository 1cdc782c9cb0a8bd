"""Small pictures: pure functions from data to SVG.

Colors come from the page's style sheet by class; sizes are attributes, since the content security policy forbids
inline styles. Where a picture stretches with its column, x is in percent and y in pixels, so that text and marks keep
their size; lines stretch in a nested `<svg>` whose strokes do not scale.
"""

"""Protocols, metrics and reports. Scores strings and boxes, knows no model."""

from wordsight.evaluate.metrics import Average, Record, Score, averages, calibration_error, score, similarity
from wordsight.evaluate.protocol import PROTOCOLS, Protocol
from wordsight.evaluate.spotting import Found, SpottingScore, Truth, score_spotting

__all__ = [
    "PROTOCOLS",
    "Average",
    "Found",
    "Protocol",
    "Record",
    "Score",
    "SpottingScore",
    "Truth",
    "averages",
    "calibration_error",
    "score",
    "score_spotting",
    "similarity",
]

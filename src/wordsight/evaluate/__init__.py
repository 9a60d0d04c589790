"""Protocols, metrics and reports: scores of strings and boxes, independent of models."""

from wordsight.evaluate.benchmarks import BENCHMARKS, SUITES, Suite, compare, find_suite, locate, remarks
from wordsight.evaluate.calibration import calibration_error, fit_temperature
from wordsight.evaluate.metrics import Average, Record, Score, averages, score, similarity
from wordsight.evaluate.protocol import PROTOCOLS, Protocol
from wordsight.evaluate.spotting import Found, SpottingScore, Truth, score_boxes, score_spotting

__all__ = [
    "BENCHMARKS",
    "PROTOCOLS",
    "SUITES",
    "Average",
    "Found",
    "Protocol",
    "Record",
    "Score",
    "SpottingScore",
    "Suite",
    "Truth",
    "averages",
    "calibration_error",
    "compare",
    "find_suite",
    "fit_temperature",
    "locate",
    "remarks",
    "score",
    "score_boxes",
    "score_spotting",
    "similarity",
]

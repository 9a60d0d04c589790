"""Protocols, metrics and reports. Scores strings and boxes, knows no model."""

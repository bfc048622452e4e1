"""Metrics, comparisons and analyses of variance on plain arrays."""

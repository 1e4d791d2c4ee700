"""Fidelity, diversity and novelty of a release."""

"""Checks of the counts of a one-run audit."""

from __future__ import annotations


def check_counts(
    n_correct: int, n_guesses: int, n_canaries: int, delta: float = 0.0
) -> tuple[int, int, int]:
    """Return the counts; raises unless they fit together and delta is a probability."""
    if not 0 <= n_correct <= n_guesses <= n_canaries:
        raise ValueError(
            f"n_correct={n_correct}, n_guesses={n_guesses} and n_canaries={n_canaries}; "
            "expected 0 <= n_correct <= n_guesses <= n_canaries"
        )
    if not 0 <= delta <= 1:
        raise ValueError(f"delta={delta}; expected 0 to 1")
    return n_correct, n_guesses, n_canaries


def check_confidence(confidence: float) -> float:
    """Return the confidence; raises unless it is between 0 and 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence}; expected a share between 0 and 1")
    return confidence

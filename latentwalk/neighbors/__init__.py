"""Nearest neighbours whose answer is proven: the one adapter over faiss.

A missed neighbour is a missed leak, so faiss only proposes candidates: they are ranked again in
float64, and more are fetched until none outside can be nearer.
"""

from latentwalk.neighbors._exact import ExactNeighbors

__all__ = ["ExactNeighbors"]

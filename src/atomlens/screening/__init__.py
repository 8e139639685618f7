"""Screening: many candidates judged by an ensemble, and ranked."""

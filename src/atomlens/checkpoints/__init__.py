"""Checkpoints that others published, turned into models of ours."""

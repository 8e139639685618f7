"""Tables, figures and pages. Knows structures and numbers, not models."""

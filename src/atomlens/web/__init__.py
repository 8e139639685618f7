"""The local application: structures dropped into a browser, answered by trained models."""

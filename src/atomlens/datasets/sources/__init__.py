"""Published data sets, and how their files are fetched. Named in ``DATASETS``."""

"""Mean score of each local environment over a data set."""

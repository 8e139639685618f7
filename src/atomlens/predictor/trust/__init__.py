"""How far an answer can be trusted: its error estimate, how unlike training it is, its doubts."""

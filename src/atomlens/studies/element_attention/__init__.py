"""Do formula and structure networks attend to the same elements?"""

"""Which formulas have a permittivity near zero, and how sure is that?"""

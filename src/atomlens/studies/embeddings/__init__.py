"""Do a formula and a structure network arrange materials alike?"""

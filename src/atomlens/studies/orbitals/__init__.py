"""Does attention look where the frontier orbital is?"""

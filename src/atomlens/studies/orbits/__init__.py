"""Does attention follow symmetry?"""

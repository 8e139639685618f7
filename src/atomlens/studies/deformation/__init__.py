"""Does attention look at strained and curved carbon?"""

"""Does attention tell substituting elements apart?"""

"""Are the edge attribute matrices of alike materials alike?"""

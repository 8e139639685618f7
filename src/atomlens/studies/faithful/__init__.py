"""Do scores of atoms say what the model would lose without them?"""

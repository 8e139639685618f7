"""Do scores of atoms find what the answer is known to rest on?"""

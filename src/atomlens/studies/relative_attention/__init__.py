"""Which kinds of atoms get more attention than an sp3 carbon?"""

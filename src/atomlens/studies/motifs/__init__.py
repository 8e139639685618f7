"""Does attention go to metals, rings, chains or leaves of frameworks?"""

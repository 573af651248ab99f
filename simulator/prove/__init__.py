"""``lobby prove``: each module breaks one thing on purpose and counts, from outside, what became
of what customers were shown.
"""

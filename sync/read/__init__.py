"""What several faces show, read from the tables: who matches, a person's story, how much there is.

Not for writing, and not for how it looks: values and rows come out, pages and JSON are made of them elsewhere.
"""

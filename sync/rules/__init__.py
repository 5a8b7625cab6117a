"""What messages mean: identity, details, actions, consent, erasure, and the plan that follows from them.

Pure: no Django, no database, no clock. Nothing here knows where a message came from or where a row is written.
"""

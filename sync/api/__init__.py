"""The REST API: what other systems read, subscribe to and report back, under `/api/v1/`.

Not for rules and not for storing: it asks `read` for what is there, and hands what others say to the one door.
"""

"""One file for each kind of CRM: what it can, how it is spoken to, what its answers mean.

Not for what is due, consent, retries, limits or storing: the engine in `push` owns these and calls a connector.
"""

"""Messages come in: from the queue, from files, from quarantine; decoded, stored in batches, settled.

Not for what a message means (`rules`) nor how it is stored (`store`): here it is received, and never lost.
"""

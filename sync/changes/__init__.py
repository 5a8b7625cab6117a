"""The change log: that something changed, in the order of the commits, and never what it says."""

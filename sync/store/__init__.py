"""The one door in: facts become rows in one transaction, lock first. Not for what facts mean (that is `rules`)."""

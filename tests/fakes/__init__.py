"""CRMs for tests, as strict as the real ones: each rule that a fake checks stands beside it with its source."""

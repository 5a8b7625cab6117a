"""Something is broken on purpose, on real servers; afterwards the stored state equals that of a quiet run.

A bounded part runs with the suite. Longer: `FAULT_ROUNDS=200 ./run test -m fault tests/faults` (kills, cuts), and
`FAULT_MINUTES=5` for a database that is away for so long. `FAULT_SEED` repeats a run; it stands in every failure.
"""

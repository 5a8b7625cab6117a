"""Who may come in, how often, and what they did: tokens of programs, counts of attempts, the audit.

Not for what they may see then: each face asks a token's scopes and organisation where it answers.
"""

"""The CRM: takes what Proca delivers, keeps one true record of each supporter, and tells others.

How the rooms in here may know each other is said once, in `pyproject.toml` (import-linter).
"""

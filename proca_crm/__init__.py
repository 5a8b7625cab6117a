"""Wires the project together: settings, addresses, logging. What the CRM does lives in `sync`."""

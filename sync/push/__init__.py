"""What was stored reaches every destination, and what CRMs say comes back.

Not for how a CRM is spoken to (`connectors`) nor for what is stored (`store`).
"""

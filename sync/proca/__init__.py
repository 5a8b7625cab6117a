"""What arrives from Proca: bytes become one of four kinds of message, or a reason why they cannot be read.

Pure: no database, no clock, no network. What a message means for people and consent is the business of
`sync.rules`.
"""

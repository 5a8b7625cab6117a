"""The rules once more, written straight from their text and without any of the product's code.

For comparing: a property test gives the same items to the product and to `oracle.state`.
Not for production: everything is computed anew from the whole set, slowly and plainly.
"""

"""Arrays and plain values to bytes and back; knows nothing of networks.

`_trees` turns nests into arrays, `_checksum` guards a saved estimator, `_files` writes a
checkpoint atomically. Begin with `_checksum`.
"""

"""Arrays and plain values to bytes and back; knows nothing of networks.

`_trees` turns a history into columns, `_digest` computes the SHA-256 of any value,
`_checksum` guards a saved estimator and `_attributes` what it may hold. `_format` is the
content of a checkpoint and `_files` its file. Begin with `_checksum`.
"""

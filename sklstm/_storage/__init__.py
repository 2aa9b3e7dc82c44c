"""Saved state: arrays and plain values to bytes and back; knows nothing of networks.

Begin with `_checksum`, which lets a saved estimator notice damage: `_digest` computes the
SHA-256 of any value, and `_attributes` decides what an estimator's state may contain.
`_trees` stores a training history compactly. `_files` reads and writes a checkpoint file,
and `_format` turns its content into bytes.
"""

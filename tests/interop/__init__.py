"""sklstm inside other libraries, each held against a loop by hand or a plain Pipeline.

It needs the extra `interop` and an environment of its own; CONTRIBUTING has the command.
Without the libraries, pytest collects nothing here.
"""

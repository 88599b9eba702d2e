"""What the tool does: one verb a file, frozen request in, frozen result out, no printing.

What an operation takes, gives back and raises is said once: at the method of `Client` that has its name.
"""

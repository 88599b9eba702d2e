"""What the tool does: one verb a file, frozen request in, frozen result out, no printing."""

"""From stored results to the paper's figures. Reads the store and nothing else: no torch, no Ray."""

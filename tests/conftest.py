"""Set once for all tests."""

import torch

# On networks this small a second thread costs more than it brings, and another number of threads rounds differently.
torch.set_num_threads(1)

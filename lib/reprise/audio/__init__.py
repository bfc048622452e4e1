"""Signal features on tensors, batched and equal to librosa's."""

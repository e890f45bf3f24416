"""The denoise step outside of PyTorch's training stack: ONNX and torch.export files, and a planner without torch."""

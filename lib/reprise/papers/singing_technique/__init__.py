"""Yamamoto et al. 2022: deformable convolution and imbalance-aware training for singing techniques."""

"""Backbones that the three libraries lack. They are built of mmengine and `mmcv.cnn` alone and serve in all three."""

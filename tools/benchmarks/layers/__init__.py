"""Compares each layer with references (authors' formulas, timm, OpenMMLab), counts its memory traffic and times it."""

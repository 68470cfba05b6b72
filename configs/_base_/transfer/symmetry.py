# The same gradient for the mirrored image, without a teacher (paper, table 3). Its weight is not published: 1 here.
losses = [dict(type='attn_plugins.GradientSymmetry')]

# A small gradient of the loss by the image, without a teacher (paper, table 3). Its weight is not published: 1 here.
losses = [dict(type='attn_plugins.GradientNorm')]

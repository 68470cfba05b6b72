# Transfer of the gradient of the loss by the image (paper, section 3.2). Its weight is not published: 1 here.
losses = [dict(type='attn_plugins.GradientTransfer')]

# Style-based Recalibration Module (Lee et al., ICCV 2019).
attention = [dict(cfg=dict(type='attn_plugins.SRM'))]

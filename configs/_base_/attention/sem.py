# Switchable self-attention module, three excitations, reduction 16 (Zhong et al., 2022).
attention = [dict(cfg=dict(type='attn_plugins.SEM', reduction=16))]

# Attention transfer beside knowledge distillation: its weight decays (paper; how is not published: linearly here).
losses = [
    dict(type='attn_plugins.ActivationTransfer', map='sum', p=2, schedule=dict(decay='linear')),
    dict(type='attn_plugins.KnowledgeDistillation', temperature=4., alpha=0.9)
]

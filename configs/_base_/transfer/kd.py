# Knowledge distillation (Hinton et al., 2015) as the authors' code runs it: T = 4, alpha = 0.9.
losses = [dict(type='attn_plugins.KnowledgeDistillation', temperature=4., alpha=0.9)]

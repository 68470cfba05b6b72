# SGD for 200 epochs on CIFAR, the rate through 5 at 60, 120 and 160: attention transfer. The authors' code (commit 893df54)
# does so an epoch earlier each time, counting from 1, and forgets the momentum there.
_base_ = './cifar_200e.py'
param_scheduler = dict(milestones=[60, 120, 160])

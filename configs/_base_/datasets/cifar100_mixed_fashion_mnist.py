# As cifar100_mixed.py, with images of Fashion-MNIST.
_base_ = './cifar100_mixed.py'
train_dataloader = dict(dataset=dict(foreign=dict(type='FashionMNIST', data_root='data/fashion_mnist')))

"""What a trained model looks at: class activation maps, attention maps, the gates of its layers, its effective
receptive field, as pictures.
"""

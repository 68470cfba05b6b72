"""What a model is and costs: parameters, multiply-adds, latency, memory, its inserted layers; and the machine it was measured on."""

"""What the pages in docs/layers/ are made of; `make_docs.py` and `check_layers.py` write them."""

"""What makes the pictures, rooms and tables of the pages in this folder. `python -m docs.how` writes them."""

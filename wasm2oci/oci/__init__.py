"""Values of the image and distribution specifications: no I/O, no clock."""

"""Signatures of images in the forms of Sigstore: making them, keeping them beside the image, and judging them."""

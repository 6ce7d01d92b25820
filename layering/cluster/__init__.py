"""What a cluster says about itself."""

"""The prepared GPU run: what a borrowed GPU is asked, each answer saved as it ends."""

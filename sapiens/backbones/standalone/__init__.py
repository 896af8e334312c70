"""One file per generation; each needs torch alone and can be copied into another project."""

"""Pictures: read and written, resized and cropped with their inverses, and masks found beside them."""

"""How the layers to convert are found, watched and replaced."""

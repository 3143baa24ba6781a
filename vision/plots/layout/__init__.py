"""What all figures share: style, size, legends, ticks and labels."""

"""Pure torch: encoders, decoders, fusion, input transforms."""

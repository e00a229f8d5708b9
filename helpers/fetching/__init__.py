"""What comes from the network or from foreign archives: data, weights, published ROIs."""

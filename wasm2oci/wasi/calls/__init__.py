"""What the 46 calls do, by subject. Each takes the state, the memory and decoded parameters, and gives its results."""

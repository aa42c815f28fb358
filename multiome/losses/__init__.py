"""Plain functions of tensors that training minimises."""

"""What a method costs: time, memory, and on which machine."""

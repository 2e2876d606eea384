"""What `make trust` shows: faults, kills, presses, an hour of use. Each test prints what it measured."""

"""What leaves for partners and queues."""

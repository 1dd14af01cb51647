"""Values used everywhere: money, ids, times, statuses. They know no table and no network."""

"""Values that everything speaks of: money, ids, times, statuses. They know no table and no network."""

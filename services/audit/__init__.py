"""`hocba audit`: the invariants, recomputed from the stores by whoever may read them. It writes nothing."""

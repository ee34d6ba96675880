//! Which target starts when: order, concurrency, tolerance.

//! Events folded into a view, then drawn.
